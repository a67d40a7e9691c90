"use strict";
// A table that sorts, filters and pages through rows held as plain arrays; only the rows of one page are ever elements.
// The first cell of a row is its trial's number. Text is only ever set as text.

const evohpo = {};
evohpo.WORDS = { stopped: "stopped early" };

evohpo.Table = class {
  // root: an empty element; size: rows a page; open(row, columns): what a click on a row does; href(row): where its number
  // leads, if anywhere.
  constructor(root, size, open, href) {
    Object.assign(this, { size, open, href, columns: [], rows: new Map(), page: 0, sorted: -1, descending: false, text: "" });
    this.tools = this.make("div", "tools", root);
    this.search = this.make("input", "", this.tools);
    this.search.type = "search";
    this.search.placeholder = "Filter";
    this.search.setAttribute("aria-label", "Filter");
    this.search.addEventListener("input", () => { this.text = this.search.value.toLowerCase(); this.page = 0; this.draw(); });
    this.shown = this.make("span", "shown", this.tools);
    this.make("span", "space", this.tools);
    this.before = this.button("‹ Previous", () => this.turn(-1));
    this.after = this.button("Next ›", () => this.turn(1));
    const table = this.make("table", "", this.make("div", "scroll", root));
    this.header = this.make("tr", "", this.make("thead", "", table));
    this.body = this.make("tbody", "", table);
  }

  make(name, css, parent) {
    const element = document.createElement(name);
    if (css) element.className = css;
    parent.append(element);
    return element;
  }

  button(text, action) {
    const button = this.make("button", "", this.tools);
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", action);
    return button;
  }

  // Take in changed rows; new columns come with all rows.
  update(columns, rows, all) {
    if (columns) {
      const title = this.sorted >= 0 ? this.columns[this.sorted][0] : null;
      this.columns = columns;
      this.sorted = columns.findIndex(([name]) => name === title);
    }
    if (all) this.rows.clear();
    for (const row of rows) this.rows.set(row[0], row);
    const numeric = this.columns.map((_, i) => this.isNumeric(i)), changed = String(numeric) !== String(this.numeric);
    this.numeric = numeric;
    if (columns || changed) this.drawHeader();
    this.draw();
  }

  isNumeric(i) {
    for (const row of this.rows.values()) if (row[i] !== null) return typeof row[i] === "number";
    return false;
  }

  drawHeader() {
    this.header.replaceChildren(...this.columns.map(([title, group], i) => {
      const th = document.createElement("th");
      th.className = group + (this.numeric[i] ? " number" : "");
      th.scope = "col";
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = button.title = title;
      button.addEventListener("click", () => this.sort(i));
      th.append(button);
      return th;
    }));
  }

  // Up at the first click, down at the second, as it was at the third.
  sort(i) {
    if (this.sorted !== i) [this.sorted, this.descending] = [i, false];
    else if (!this.descending) this.descending = true;
    else [this.sorted, this.descending] = [-1, false];
    this.page = 0;
    this.draw();
  }

  turn(by) { this.page += by; this.draw(); }

  // Numbers before texts, nothing last whichever way.
  static compare(a, b, sign) {
    if (a === b) return 0;
    if (a === null) return 1;
    if (b === null) return -1;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return (a < b ? -1 : 1) * sign;
  }

  chosen() {
    let rows = [...this.rows.values()];
    if (this.text) rows = rows.filter((row) => row.some((c) => c !== null && String(c).toLowerCase().includes(this.text)));
    const i = this.sorted, sign = this.descending ? -1 : 1;
    if (i >= 0) rows.sort((a, b) => evohpo.Table.compare(a[i], b[i], sign) || a[0] - b[0]);
    return rows;
  }

  draw() {
    const rows = this.chosen(), pages = Math.max(1, Math.ceil(rows.length / this.size));
    this.page = Math.min(Math.max(this.page, 0), pages - 1);
    const first = this.page * this.size, visible = rows.slice(first, first + this.size);
    const of = this.text ? ` (of ${this.rows.size})` : "";
    this.shown.textContent = rows.length ? `${first + 1}–${first + visible.length} of ${rows.length}${of}` : `none${of}`;
    this.before.hidden = this.after.hidden = pages === 1;
    this.before.disabled = this.page === 0;
    this.after.disabled = this.page === pages - 1;
    this.tools.hidden = this.rows.size <= this.size && pages === 1 && !this.text;
    [...this.header.children].forEach((th, i) => {
      if (i === this.sorted) th.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    const lines = visible.map((row) => this.line(row));
    this.body.replaceChildren(...lines);
  }

  line(row) {
    const tr = document.createElement("tr");
    tr.dataset.trial = row[0];
    this.columns.forEach(([title], i) => {
      const td = document.createElement("td"), value = row[i];
      if (title === "status" && i === 1) {
        const badge = this.make("span", `badge ${value}`, td);
        badge.textContent = evohpo.WORDS[value] || value;
      } else if (i === 0) {
        const link = this.make(this.href ? "a" : "button", "link", td);
        link.textContent = value;
        if (this.href) link.href = this.href(row);
      } else if (value !== null) {
        td.textContent = value;
        if (String(value).length > 24) td.title = value;
      }
      if (this.numeric[i]) td.className = "number";
      tr.append(td);
    });
    tr.addEventListener("click", () => this.open(row, this.columns));
    return tr;
  }
};
