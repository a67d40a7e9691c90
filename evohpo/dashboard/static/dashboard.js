"use strict";
// The dashboard: asks every second what changed, and changes only that on the page.

(() => {
  const SECOND = 1000, IDLE = 5 * SECOND;
  const page = document.body.dataset, study = page.study, api = `/api/study/${study}`;
  const $ = (selector, root = document) => root.querySelector(selector);

  async function ask(address) {
    const answer = await fetch(address, { cache: "no-store" });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  // Models are made one at a time, so asking for two at once would only keep connections busy that the table needs.
  const queues = {};
  function inTurn(queue, task) {
    return (queues[queue] = (queues[queue] ?? Promise.resolve()).then(task, task));
  }

  // Call `look` again and again, one at a time; less often when nobody sees the page or nobody answers.
  async function repeat(look) {
    const news = $("#news");
    for (;;) {
      let pause = document.hidden ? IDLE : SECOND;
      try {
        await look();
        news.textContent = "";
      } catch (error) {
        const what = error instanceof TypeError ? "The dashboard does not answer; what is shown may be old." : error.message;
        if (news.textContent !== what) news.textContent = what;
        pause = IDLE;
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  // The server has escaped all that comes from a study. What the reader has opened stays open. True if anything changed.
  function fill(element, html) {
    if (html === undefined || element.html === html) return false;
    const open = [...element.querySelectorAll("details")].map((details) => details.open);
    element.html = html;
    element.innerHTML = html;
    [...element.querySelectorAll("details")].forEach((details, i) => { details.open = open[i] ?? details.open; });
    return true;
  }

  function ago(seconds) {
    if (seconds === null) return "";
    const [n, unit] = seconds < 120 ? [seconds, "s"] : seconds < 7200 ? [seconds / 60, "min"] : seconds < 172800 ? [seconds / 3600, "h"] : [seconds / 86400, "days"];
    return `last news ${Math.round(n)} ${unit} ago`;
  }

  function stand(root, answer) {
    $(".age", root).textContent = ago(answer.age);
    const line = $(".problem-line", root);
    line.textContent = answer.problem;
    line.hidden = !answer.problem;
  }

  const LAYOUT = {
    margin: { l: 64, r: 16, t: 40, b: 48 }, height: 320, font: { family: "system-ui, sans-serif", size: 13 },
    paper_bgcolor: "#fff", plot_bgcolor: "#fff", legend: { orientation: "h", y: -0.22, yanchor: "top" }, uirevision: "kept",
  };
  const AXIS = { gridcolor: "#e4e7eb", zeroline: false, automargin: true };
  const COLOURS = ["#0b69a3", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#8a5300", "#525252"];

  const OPTIONS = { responsive: true, displaylogo: false };

  // ---- one study

  function studyPage() {
    let version = "", plots = null;
    const open = (row) => { location.href = `/study/${study}/trial/${row[0]}`; };
    const href = (row) => `/study/${study}/trial/${row[0]}`;
    const table = new evohpo.Table($("#table"), Number($("#table").dataset.size), open, href);
    const front = new evohpo.Table($("#front"), Number($("#front").dataset.size), open, href);
    const parts = [...document.querySelectorAll(".part")];
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        entry.target.inView = entry.isIntersecting;
        if (entry.isIntersecting) part(entry.target);
      }
    }, { rootMargin: "200px" });
    for (const element of parts) seen.observe(element);

    async function figure(key, variant, plot) {
      const names = (plot.names ??= {});
      const seen = plot.variant === variant ? names[variant] ?? "" : "";
      const address = `${api}/plot/${key}?variant=${variant}&seen=${encodeURIComponent(seen)}`;
      const answer = await inTurn(plot.dataset.source === "model" ? "models" : "plots", () => ask(address));
      plot.variant = variant;
      names[variant] = answer.name;
      plot.notBefore = Date.now() + Math.max(2 * SECOND, 20 * SECOND * answer.seconds); // at most a twentieth of a core each
      return { figure: answer.figure ? JSON.parse(answer.figure) : null, reason: answer.reason };
    }

    async function part(element) {
      if (!element.inView || !element.stale || element.busy || Date.now() < (element.notBefore ?? 0)) return;
      element.busy = true;
      element.stale = false;
      try {
        const address = `${api}/part/${element.dataset.key}?seen=${encodeURIComponent(element.seen ?? "")}`;
        const answer = await inTurn("models", () => ask(address));
        element.seen = answer.name;
        element.notBefore = Date.now() + Math.max(3 * SECOND, 20 * SECOND * answer.seconds);
        fill(element, answer.html);
      } catch {
        element.stale = true;
        element.notBefore = Date.now() + IDLE;
      } finally {
        element.busy = false;
      }
    }

    repeat(async () => {
      let answer = await ask(`${api}?since=${encodeURIComponent(version)}`);
      const changed = answer.columns && JSON.stringify(answer.columns) !== JSON.stringify(table.columns);
      if (changed && !answer.all) answer = await ask(`${api}?since=`); // old rows lack the new column
      stand(document, answer);
      if (answer.columns) {
        if ("waiting" in page || (version && version.split(".")[0] !== answer.version.split(".")[0])) {
          location.reload(); // the study has come, or another one has taken its place
          return;
        }
        fill($("#head"), answer.head);
        fill($("#best"), answer.best);
        document.title = `${answer.name} – evohpo`;
        table.update(changed ? answer.columns : null, answer.rows, answer.all);
        if (answer.front) {
          $("#front").hidden = answer.front.length === 0;
          front.update(changed ? answer.columns : null, answer.front, true);
        }
        version = answer.version;
        plots ??= new evohpo.Plots(figure);
        plots.refresh();
        for (const element of parts) element.stale = true;
      }
      plots?.tick();
      for (const element of parts) part(element);
    });
  }

  // ---- one trial

  function trialPage() {
    let version = "";
    repeat(async () => {
      const answer = await ask(`${api}/trial/${page.trial}?since=${encodeURIComponent(version)}`);
      version = answer.version;
      stand(document, answer);
      if (!answer.body) return;
      fill($("#trial"), answer.body);
      if (fill($("#files"), answer.files)) for (const pre of $("#files").querySelectorAll("pre")) pre.scrollTop = pre.scrollHeight;
      await evohpo.ready;
      const names = Object.keys(answer.curves);
      $("#curves").hidden = names.length === 0;
      const boxes = boxesIn($("#curves .small-plots"), names.length);
      names.forEach((name, i) => {
        const [x, y] = answer.curves[name];
        const layout = {
          ...LAYOUT, margin: { ...LAYOUT.margin, t: 12 }, showlegend: false,
          xaxis: { ...AXIS, title: { text: "step" } }, yaxis: { ...AXIS, title: { text: plain(name) } },
        };
        Plotly.react(boxes[i], [{ x, y, mode: "lines+markers", line: { color: COLOURS[0] }, hoverinfo: "x+y" }], layout, OPTIONS);
      });
    });
  }

  // Make all boxes before the first picture, whose width depends on how many stand in a row.
  function boxesIn(parent, count) {
    while (parent.children.length < count) parent.append(document.createElement("div"));
    return parent.children;
  }

  // plotly takes some tags and links in its texts for formatting
  function plain(text) { return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"); }

  // ---- several studies

  function overviewPage() {
    const cards = [...document.querySelectorAll(".card")], versions = cards.map(() => ""), curves = cards.map(() => null);
    repeat(async () => {
      const answers = await ask(`/api/overview?since=${encodeURIComponent(versions.join(","))}`);
      let changed = false;
      answers.forEach((answer, i) => {
        versions[i] = answer.version;
        stand(cards[i], answer);
        if (!answer.head) return;
        fill($(".head", cards[i]), answer.head);
        fill($(".best", cards[i]), answer.best);
        curves[i] = { ...answer.progress, name: answer.name };
        changed = true;
      });
      await evohpo.ready;
      if (changed) compare(curves.filter((curve) => curve));
    });
  }

  // One picture a goal: studies that are after the same thing stand in one.
  function compare(curves) {
    const goals = Map.groupBy ? Map.groupBy(curves, (c) => c.goal) : curves.reduce((m, c) => m.set(c.goal, [...(m.get(c.goal) ?? []), c]), new Map());
    const boxes = boxesIn($("#comparison"), goals.size);
    [...goals].forEach(([goal, members], i) => {
      const data = members.map((c, k) => ({
        x: c.x, y: c.y, name: plain(c.name), mode: c.kind === "best" ? "lines" : "markers",
        line: { shape: "hv", color: COLOURS[k % COLOURS.length] }, marker: { color: COLOURS[k % COLOURS.length] },
      }));
      const [x, y] = members[0].titles.map(plain);
      const layout = {
        ...LAYOUT, title: { text: plain(goal), font: { size: 14 } }, showlegend: true,
        xaxis: { ...AXIS, title: { text: x } }, yaxis: { ...AXIS, title: { text: y } },
      };
      Plotly.react(boxes[i], data, layout, OPTIONS);
    });
  }

  ({ study: studyPage, trial: trialPage, overview: overviewPage })[page.page]();
})();
