// plots.js - the three charts, drawn by uPlot where the build has it. A chart's numbers are on the
// page as text too; actions are marks in the document, not only in the picture.
import {size, time, percent, clock} from "./format.js";
import {BOOKS, freed} from "./store.js";

export const available = typeof window.uPlot === "function";
const MARK_PIXELS = 5;
const LABEL_PIXELS = 66;

const colour = (name) => () =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const POWERS = Array.from({length: 50}, (_, i) => 2 ** i);
const grid = {stroke: colour("--rule"), width: 1};

function axes(values, width, incrs) {
  const y = {stroke: colour("--soft"), grid, ticks: {show: false}, size: width, values, space: 40};
  if (incrs) y.incrs = incrs;
  const hours = (u, splits) =>
    splits.map((s) => clock(s * 1000).slice(0, u.scales.x.max - u.scales.x.min < 240 ? 8 : 5));
  return [
    {
      stroke: colour("--soft"),
      grid: {show: false},
      ticks: {show: false},
      values: hours,
      space: 70,
      size: 28,
    },
    y,
  ];
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
      const rest = {
        width: this.width(),
        height: this.height,
        cursor: {y: false, drag: {x: false, y: false}},
      };
      this.plot = new window.uPlot({...this.options(), ...rest}, data, this.box);
    } else {
      this.plot.setData(data);
      this.plot.setLegend({idx: this.plot.cursor.idx}, false);
    }
  }

  fit() {
    if (this.plot) this.plot.setSize({width: this.width(), height: this.height});
  }

  // Colours have changed: the legend's are read only once.
  again() {
    if (this.plot) this.plot.destroy();
    this.plot = null;
  }
}

// What the legend says: of the moment under the cursor, else of the latest.
const said = (text) => (u, value, series, i) => {
  const data = u.data[series];
  const shown = i == null ? data[data.length - 1] : value;
  return shown == null ? "none" : text(shown);
};
const moment = {label: "time", value: said((seconds) => clock(seconds * 1000))};

const line = (label, stroke, more) => ({
  label,
  stroke: colour(stroke),
  width: 2,
  points: {show: false},
  value: said(size),
  ...more,
});

export function footprintPlot() {
  let kept = []; // a limit that is far above is not drawn, but said
  const level = (name) => (u, value, series, i) => {
    const sample = kept[i == null ? kept.length - 1 : i];
    return sample && sample[name] ? size(sample[name]) : "none";
  };
  const plot = new Plot(
    "footprint-plot",
    () => ({
      scales: {y: {range: sizeRange}},
      axes: axes(sizes, 72, POWERS),
      series: [
        moment,
        line("footprint", "--tide", {fill: colour("--fill")}),
        line("trip", "--trip", {dash: [4, 4], value: level("trip_bytes")}),
        line("soft limit", "--warn", {dash: [8, 4], value: level("soft_limit_bytes")}),
        line("hard limit", "--stop", {value: level("hard_limit_bytes")}),
      ],
    }),
    280,
  );
  plot.show = (store, key, minutes) => {
    const samples = store.window(key, minutes);
    kept = samples;
    const most = samples.reduce((top, s) => Math.max(top, s.footprint_bytes), 1);
    const limit = (name) => samples.map((s) => (s[name] && s[name] <= 4 * most ? s[name] : null));
    plot.draw([
      samples.map((s) => store.seconds(s.time_ns)),
      samples.map((s) => s.footprint_bytes),
      limit("trip_bytes"),
      limit("soft_limit_bytes"),
      limit("hard_limit_bytes"),
    ]);
    if (plot.plot) showMarks(plot.plot, store, store.recordsOf(key));
  };
  return plot;
}

// Actions that lie closer than a mark is wide are one mark.
function gather(u, store, records) {
  const {min, max} = u.scales.x;
  const marks = [];
  for (const record of records) {
    const seconds = store.seconds(record.time_ns);
    if (record.verdict !== "fired" || seconds < min || seconds > max) continue;
    const at = u.valToPos(seconds, "x");
    const last = marks[marks.length - 1];
    if (last && at - last.at < MARK_PIXELS) last.records.push(record);
    else marks.push({at, records: [record]});
  }
  return marks;
}

function markNode({at, records}) {
  const bytes = records.reduce((sum, record) => sum + freed(record), 0);
  const ns = records.reduce((sum, record) => sum + record.duration_ns, 0);
  const kinds = [...new Set(records.map((record) => record.kind))].join(", ");
  const mark = document.createElement("span");
  mark.className = "mark";
  mark.style.left = `${at}px`;
  mark.dataset.kind = records[0].kind;
  mark.dataset.freed = bytes;
  mark.dataset.count = records.length;
  mark.title = `${records.length} × ${kinds}: freed ${size(bytes)} in ${time(ns)}`;
  return mark;
}

// Each action that ran is a mark; its bytes are written where there is room, the latest first.
function showMarks(u, store, records) {
  let layer = u.over.querySelector(".marks");
  if (!layer) {
    layer = document.createElement("div");
    layer.className = "marks";
    u.over.append(layer);
  }
  const width = u.over.clientWidth;
  let free = width;
  const nodes = gather(u, store, records)
    .reverse()
    .map((mark) => {
      const node = markNode(mark);
      const left = Math.min(Math.max(mark.at - LABEL_PIXELS / 2, 0), width - LABEL_PIXELS);
      if (left + LABEL_PIXELS <= free) {
        const label = document.createElement("b");
        label.textContent = size(-Number(node.dataset.freed));
        label.style.left = `${left - mark.at}px`;
        node.append(label);
        free = left;
      }
      return node;
    });
  layer.replaceChildren(...nodes);
}

export function booksPlot() {
  let kept = []; // what the legend says: the books themselves, not the sums that are drawn
  const plot = new Plot(
    "books-plot",
    () => ({
      scales: {y: {range: sizeRange}},
      axes: axes(sizes, 72, POWERS),
      series: [
        moment,
        ...[...BOOKS].reverse().map((book) => ({
          label: book,
          width: 0,
          points: {show: false},
          fill: colour(`--${book}`),
          stroke: colour(`--${book}`),
          value: (u, v, series, i) => {
            const sample = kept[i == null ? kept.length - 1 : i];
            return sample ? size(sample[`${book}_bytes`]) : "";
          },
        })),
      ],
    }),
    220,
  );
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
  const value = said((v) => percent(v / 100));
  const plot = new Plot(
    "share-plot",
    () => ({
      scales: {y: {range: (u, low, high) => [0, Math.max(high || 0, 1) * 1.1]}},
      axes: axes(shares, 48),
      series: [
        moment,
        line("collectors", "--stop", {value}),
        line("fragmentation", "--waste", {value}),
      ],
    }),
    220,
  );
  plot.show = (store, key, minutes) => {
    const samples = store.window(key, minutes);
    plot.draw([
      samples.map((s) => store.seconds(s.time_ns)),
      samples.map((s) => ("action_ns_per_s" in s ? s.action_ns_per_s / 1e7 : null)),
      samples.map((s) =>
        s.committed_bytes ? (100 * s.fragmentation_bytes) / s.committed_bytes : null,
      ),
    ]);
  };
  return plot;
}
