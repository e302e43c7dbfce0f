// app.js - listens to /events, keeps what was heard, and shows it; keys and buttons. Draws at most
// once for each frame that the browser shows, and not at all while nobody looks.
import {size, time} from "./format.js";
import {Store} from "./store.js";
import * as panels from "./panels.js";
import {available, footprintPlot, booksPlot, sharePlot} from "./plots.js";

const element = (id) => document.getElementById(id);
const store = new Store();
const plots = [footprintPlot(), booksPlot(), sharePlot()];
const WINDOWS = [5, 15, 60],
  SHOWN = ["all", "ran", "held"],
  THEMES = ["system", "light", "dark"];
const view = {key: null, minutes: 5, show: "all", paused: false, doctor: false};
let drawing = false,
  pastBooks = null;

// ---- drawing -----------------------------------------------------------------------------------

function soon() {
  if (drawing || view.paused) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    show();
  });
}

function showHeaps() {
  const keys = store.keys(),
    select = element("heap");
  if (!keys.includes(view.key)) view.key = keys[0] || null;
  const wanted = keys.join("\n");
  if (select.dataset.keys !== wanted) {
    select.dataset.keys = wanted;
    select.replaceChildren(
      ...keys.map((key) => new Option(`Heap ${store.heaps.get(key).name}`, key)),
    );
  }
  if (view.key) select.value = view.key;
}

function showBooks() {
  const books = store.booksOf(view.key);
  if (!books) return;
  const before = pastBooks && pastBooks.key === view.key ? pastBooks : null;
  panels.showPools(books, before && before.books, before ? (store.books.at - before.at) / 1000 : 0);
  panels.showTags(books);
  panels.showActions(books);
}

function show() {
  showHeaps();
  const heap = store.heaps.get(view.key);
  if (!heap) return;
  const sample = heap.samples[heap.samples.length - 1];
  const records = store.recordsOf(view.key);
  panels.showNow(sample, records);
  panels.showBooks(sample);
  showBooks();
  panels.showLog(store, records, view.show);
  document.body.classList.remove("waiting");
  for (const plot of plots) plot.show(store, view.key, view.minutes);
}

// How long the process runs; null where that is not known.
function upNs() {
  const start_ns = store.books?.process.start_time_ns;
  return start_ns ? Date.now() * 1e6 - start_ns : null;
}

function showProcess() {
  const {process} = store.books;
  const up = upNs() === null ? "" : ` \u00b7 up ${time(upNs())}`;
  const resident = process.resident_bytes ? ` \u00b7 resident ${size(process.resident_bytes)}` : "";
  element("process").textContent =
    `process ${process.pid}${up}${resident} \u00b7 version ${process.version}`;
  document.title = `Tidemark: process ${process.pid}`;
}

// ---- hearing -----------------------------------------------------------------------------------

function setState(state, text) {
  const node = element("state");
  if (node.dataset.state !== state || node.textContent !== text) {
    node.dataset.state = state;
    node.textContent = text;
  }
  document.body.classList.toggle("stale", state !== "live");
}

async function askDoctor() {
  let answer = null;
  try {
    const response = await fetch("/doctor");
    if (response.ok) answer = await response.json();
  } catch {
    return; // the connection's state says it
  }
  view.doctor = answer !== null;
  element("doctor").hidden = !view.doctor;
  if (answer) panels.showFindings(answer.findings, upNs() ?? Infinity);
}

async function askHolders() {
  try {
    const response = await fetch("/holders.json");
    if (response.ok) panels.showHolders(await response.json());
  } catch {
    return; // the connection's state says it
  }
}

function hear(source, name, take) {
  source.addEventListener(name, (event) => {
    take(JSON.parse(event.data));
    soon();
  });
}

function listen() {
  const source = new EventSource("/events");
  source.onopen = () => setState("live", "live");
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) {
      setState("lost", "connection lost, trying again");
      return;
    }
    // refused: all four streams are taken, or something else answers there; the browser gives up
    setState("lost", "not served, trying again");
    setTimeout(listen, 2000);
  };
  hear(source, "hello", (hello) => {
    if (store.greet(hello)) {
      pastBooks = null;
      askHolders();
    }
    askDoctor();
  });
  hear(source, "sample", (sample) => store.addSample(sample));
  hear(source, "action", (record) => store.addRecord(record));
  hear(source, "decision", (record) => store.addRecord(record));
  hear(source, "books", (books) => {
    const old = store.booksOf(view.key);
    if (old) pastBooks = {key: view.key, books: old, at: store.books.at};
    store.books = books;
    store.books.at = performance.now();
    showProcess();
  });
}

// ---- what a person can do ----------------------------------------------------------------------

function setMinutes(minutes) {
  view.minutes = minutes;
  for (const button of document.querySelectorAll("[data-minutes]"))
    button.setAttribute("aria-pressed", String(Number(button.dataset.minutes) === minutes));
  show();
}

function setShown(which) {
  view.show = which;
  for (const button of document.querySelectorAll("[data-show]"))
    button.setAttribute("aria-pressed", String(button.dataset.show === which));
  show();
}

function setPaused(paused) {
  view.paused = paused;
  element("pause").setAttribute("aria-pressed", String(paused));
  if (!paused) soon();
}

function redraw() {
  for (const plot of plots) plot.again();
  show();
}

function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  element("theme").textContent = `Theme: ${theme}`;
  element("theme").dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // it holds until the page is left
  }
  redraw();
}

const after = (list, value) => list[(list.indexOf(value) + 1) % list.length];

const KEYS = {
  1: () => setMinutes(WINDOWS[0]),
  2: () => setMinutes(WINDOWS[1]),
  3: () => setMinutes(WINDOWS[2]),
  h: () => {
    view.key = after(store.keys(), view.key);
    show();
  },
  p: () => setPaused(!view.paused),
  f: () => setShown(after(SHOWN, view.show)),
  l: () => element("log-box").focus(),
  t: () => setTheme(after(THEMES, element("theme").dataset.theme)),
  "?": () => element("keys").focus(),
};

document.addEventListener("keydown", (event) => {
  const typing =
    event.target instanceof HTMLSelectElement || event.target instanceof HTMLInputElement;
  if (event.ctrlKey || event.altKey || event.metaKey || typing || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
for (const button of document.querySelectorAll("[data-minutes]"))
  button.addEventListener("click", () => setMinutes(Number(button.dataset.minutes)));
for (const button of document.querySelectorAll("[data-show]"))
  button.addEventListener("click", () => setShown(button.dataset.show));
element("pause").addEventListener("click", () => setPaused(!view.paused));
element("theme").addEventListener("click", KEYS.t);
element("heap").addEventListener("change", (event) => {
  view.key = event.target.value;
  show();
});
new ResizeObserver(() => {
  for (const plot of plots) plot.fit();
  soon();
}).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

let theme = null;
try {
  theme = localStorage.getItem("theme");
} catch {
  // the system's then
}
setTheme(THEMES.includes(theme) ? theme : "system");
setMinutes(view.minutes);
if (!available) {
  for (const box of document.querySelectorAll(".plot")) {
    box.className = "notice";
    box.textContent =
      "This build has no charts: npm was not there when it was made. All numbers are below.";
  }
}
Promise.all([askDoctor(), askHolders()]).then(listen);
setInterval(() => {
  if (view.doctor && !view.paused && !document.hidden) askDoctor();
}, 5000);
setInterval(() => {
  if (!view.paused && !document.hidden) askHolders();
}, 10000);
