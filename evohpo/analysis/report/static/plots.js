"use strict";
// Plots are drawn when they come into view, so that a page with many of them opens at once.

evohpo.ready = new Promise((resolve) => { document.addEventListener("DOMContentLoaded", resolve); }); // plotly.js comes last

// fetchFigure(key, variant) gives a promise of {figure} or {reason}.
evohpo.Plots = class {
  constructor(fetchFigure) {
    this.fetchFigure = fetchFigure;
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        entry.target.inView = entry.isIntersecting;
        if (entry.isIntersecting) this.show(entry.target);
      }
    }, { rootMargin: "200px" });
    this.all = [...document.querySelectorAll(".plot")];
    for (const plot of this.all) {
      plot.stale = true;
      plot.querySelector("select")?.addEventListener("change", () => {
        Object.assign(plot, { stale: true, notBefore: 0 });
        this.show(plot);
      });
      this.seen.observe(plot);
    }
  }

  // What is drawn is out of date.
  refresh() { for (const plot of this.all) plot.stale = true; }

  // Draw again what is in view, out of date, and not drawn too lately; the rest when it comes into view.
  tick() { for (const plot of this.all) if (plot.inView) this.show(plot); }

  async show(plot) {
    if (!plot.stale || plot.busy || Date.now() < (plot.notBefore ?? 0)) return;
    plot.busy = true;
    plot.stale = false;
    const variant = Number(plot.querySelector("select")?.value ?? 0);
    try {
      const { figure, reason } = await this.fetchFigure(plot.dataset.key, variant, plot);
      if (figure) await this.draw(plot, figure);
      else if (reason) this.explain(plot, reason);
    } catch (error) {
      this.explain(plot, `This plot could not be shown: ${error.message}`);
    } finally {
      plot.busy = false;
      if (plot.stale && plot.inView) this.show(plot);
    }
  }

  async draw(plot, { data, layout }) {
    const canvas = plot.querySelector(".canvas");
    plot.classList.remove("empty");
    plot.classList.add("drawn");
    plot.querySelector(".reason").hidden = true;
    layout.autosize = true;
    layout.uirevision = "kept"; // what the reader zoomed into stays when new trials come
    delete layout.width;
    await evohpo.ready;
    await Plotly.react(canvas, data, layout, { responsive: true, displaylogo: false });
  }

  explain(plot, reason) {
    plot.classList.remove("drawn");
    plot.classList.add("empty");
    const line = plot.querySelector(".reason");
    line.textContent = reason;
    line.hidden = false;
  }
};
