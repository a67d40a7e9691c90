"use strict";
// The page of a comparison: its plots when plotly.js below has been read.

evohpo.ready = new Promise((resolve) => { document.addEventListener("DOMContentLoaded", resolve); });

evohpo.ready.then(() => new evohpo.Plots(async (key, variant, plot) => {
  const stored = document.getElementById(`plot-${key}-${variant}`);
  if (stored) return { figure: JSON.parse(stored.textContent) };
  return { reason: plot.querySelector(`[data-reason="${variant}"]`).textContent };
}));
