"use strict";
// The report: its tables at once, its plots when plotly.js below has been read.

(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const detail = document.getElementById("detail");

  // All there is of one trial, in a box over the page.
  function open(row, columns) {
    const title = document.createElement("h2"), list = document.createElement("dl"), close = document.createElement("button");
    title.textContent = `Trial ${row[0]}`;
    close.textContent = "Close";
    close.addEventListener("click", () => detail.close());
    title.append(close);
    list.className = "params";
    columns.forEach(([name], i) => {
      if (row[i] === null || i === 0) return;
      const pair = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = name;
      dd.textContent = row[i];
      pair.append(dt, dd);
      list.append(pair);
    });
    detail.replaceChildren(title, list);
    detail.showModal();
  }
  detail.addEventListener("click", (event) => { if (event.target === detail) detail.close(); });

  for (const root of document.querySelectorAll(".table")) {
    const { columns, rows } = read(root.dataset.source);
    new evohpo.Table(root, Number(root.dataset.size), open).update(columns, rows, true);
  }

  const figure = async (key, variant, plot) => {
    const stored = document.getElementById(`plot-${key}-${variant}`);
    if (stored) return { figure: JSON.parse(stored.textContent) };
    return { reason: plot.querySelector(`[data-reason="${variant}"]`).textContent };
  };
  evohpo.ready.then(() => new evohpo.Plots(figure));
})();
