// plots.js - the three charts, drawn by uPlot where the build has it. A chart's numbers are on the
// page as text too; actions are marks in the document, not only in the picture.
import {size, time, percent, clock} from "./format.js";
import {BOOKS, freed} from "./store.js";

export const available = typeof window.uPlot === "function";
const MARKS = 200, LABEL_PIXELS = 62;

const colour = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const POWERS = Array.from({length: 50}, (_, i) => 2 ** i);
const grid = {stroke: colour("--rule"), width: 1};

function axes(values, width, incrs) {
  const y = {stroke: colour("--soft"), grid, ticks: {show: false}, size: width, values, space: 40};
  if (incrs) y.incrs = incrs;
  const hours = (u, splits) => splits.map((s) => clock(s * 1000).slice(0, u.scales.x.max - u.scales.x.min < 240 ? 8 : 5));
  return [{stroke: colour("--soft"), grid: {show: false}, ticks: {show: false}, values: hours, space: 70, size: 28}, y];
}

const sizes = (u, splits) => splits.map((s) => (s >= 0 ? size(s) : ""));
const shares = (u, splits) => splits.map((s) => `${s} %`);

// A limit belongs into the picture unless it would press the footprint flat.
function sizeRange(u, low, high) {
  return [0, (high || 1) * 1.08];
}

class Plot {
  constructor(id, options, height) {
    this.box = document.getElementById(id);
    this.options = options;
    this.height = height;
    this.plot = null;
  }

  width() {
    return Math.max(this.box.clientWidth, 200);
  }

  draw(data) {
    if (!available) return;
    if (!this.plot) {
      const rest = {width: this.width(), height: this.height, cursor: {y: false, drag: {x: false, y: false}}};
      this.plot = new window.uPlot({...this.options(), ...rest}, data, this.box);
    } else {
      this.plot.setData(data);
    }
  }

  fit() {
    if (this.plot) this.plot.setSize({width: this.width(), height: this.height});
  }

  again() {
    if (this.plot) this.plot.redraw(false, true);
  }
}

const line = (label, stroke, more) => ({label, stroke: colour(stroke), width: 2, points: {show: false}, value: (u, v) => (v == null ? "none" : size(v)), ...more});

export function footprintPlot() {
  const plot = new Plot("footprint-plot", () => ({
    scales: {y: {range: sizeRange}},
    axes: axes(sizes, 72, POWERS),
    series: [
      {label: "time", value: (u, v) => (v == null ? "" : clock(v * 1000))},
      line("footprint", "--tide", {fill: colour("--fill")}),
      line("trip", "--trip", {dash: [4, 4]}),
      line("soft limit", "--warn", {dash: [8, 4]}),
      line("hard limit", "--stop"),
    ],
  }), 280);
  plot.show = (store, key, minutes) => {
    const samples = store.window(key, minutes);
    const most = samples.reduce((top, s) => Math.max(top, s.footprint_bytes), 1);
    const limit = (name) => samples.map((s) => (s[name] && s[name] <= 4 * most ? s[name] : null));
    plot.draw([samples.map((s) => store.seconds(s.time_ns)), samples.map((s) => s.footprint_bytes),
      limit("trip_bytes"), limit("soft_limit_bytes"), limit("hard_limit_bytes")]);
    if (plot.plot) showMarks(plot.plot, store, store.recordsOf(key));
  };
  return plot;
}

// Each action that ran is a mark; its bytes are written where there is room.
function showMarks(u, store, records) {
  let layer = u.over.querySelector(".marks");
  if (!layer) {
    layer = document.createElement("div");
    layer.className = "marks";
    u.over.append(layer);
  }
  const {min, max} = u.scales.x;
  const shown = records.filter((r) => r.verdict === "fired" && store.seconds(r.time_ns) >= min && store.seconds(r.time_ns) <= max).slice(-MARKS);
  let free = Infinity; // labels from the right, so that the latest has one
  layer.replaceChildren(...shown.reverse().map((record) => {
    const at = u.valToPos(store.seconds(record.time_ns), "x");
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.style.left = `${at}px`;
    mark.dataset.kind = record.kind;
    mark.dataset.freed = freed(record);
    mark.title = `${record.kind}: freed ${size(freed(record))} in ${time(record.duration_ns)}`;
    if (free - at > LABEL_PIXELS && at > LABEL_PIXELS / 2 && at < u.over.clientWidth) {
      const label = document.createElement("b");
      label.textContent = size(-freed(record)).replace(/^0 B$/, "0");
      if (at > u.over.clientWidth - LABEL_PIXELS / 2) label.className = "left";
      mark.append(label);
      free = at;
    }
    return mark;
  }));
}

export function booksPlot() {
  let kept = []; // what the legend says: the books themselves, not the sums that are drawn
  const plot = new Plot("books-plot", () => ({
    scales: {y: {range: sizeRange}},
    axes: axes(sizes, 72, POWERS),
    series: [{label: "time", value: (u, v) => (v == null ? "" : clock(v * 1000))},
      ...[...BOOKS].reverse().map((book) => ({
        label: book, width: 0, points: {show: false}, fill: colour(`--${book}`), stroke: colour(`--${book}`),
        value: (u, v, series, i) => (i == null || !kept[i] ? "" : size(kept[i][`${book}_bytes`])),
      }))],
  }), 220);
  plot.show = (store, key, minutes) => {
    kept = store.window(key, minutes);
    const sums = BOOKS.map(() => new Array(kept.length));
    kept.forEach((sample, i) => {
      let sum = 0;
      BOOKS.forEach((book, b) => {
        sum += sample[`${book}_bytes`];
        sums[b][i] = sum;
      });
    });
    plot.draw([kept.map((s) => store.seconds(s.time_ns)), ...sums.reverse()]);
  };
  return plot;
}

export function sharePlot() {
  const value = (u, v) => (v == null ? "none" : percent(v / 100));
  const plot = new Plot("share-plot", () => ({
    scales: {y: {range: (u, low, high) => [0, Math.max(high || 0, 1) * 1.1]}},
    axes: axes(shares, 48),
    series: [
      {label: "time", value: (u, v) => (v == null ? "" : clock(v * 1000))},
      line("collectors", "--stop", {value}),
      line("fragmentation", "--waste", {value}),
    ],
  }), 220);
  plot.show = (store, key, minutes) => {
    const samples = store.window(key, minutes);
    plot.draw([samples.map((s) => store.seconds(s.time_ns)),
      samples.map((s) => ("action_ns_per_s" in s ? s.action_ns_per_s / 1e7 : null)),
      samples.map((s) => (s.committed_bytes ? (100 * s.fragmentation_bytes) / s.committed_bytes : null))]);
  };
  return plot;
}
