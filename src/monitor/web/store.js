// store.js - what was heard so far: an hour of samples and the latest decisions of each heap. Knows
// nothing of the page.
const KEPT_SAMPLES = 3600,
  KEPT_RECORDS = 1000;

export const BOOKS = ["live", "free", "waste", "dirty", "meta"];

// What a record freed: trim gives to the system, all others bring the footprint down.
export function freed(record) {
  if (record.kind === "trim") return record.returned_bytes;
  return record.footprint_before_bytes - record.footprint_after_bytes;
}

export class Store {
  constructor() {
    this.clear();
  }

  clear() {
    this.heaps = new Map(); // by key: {index, name, samples}
    this.records = []; // by time
    this.seen = new Set();
    this.books = null;
    this.hello = null;
  }

  // Another process is another story: nothing of the old one belongs into its charts.
  greet(hello) {
    const other = this.hello && this.hello.pid !== hello.pid;
    if (other) this.clear();
    this.hello = hello;
    return other;
  }

  // CLOCK_MONOTONIC as seconds of Unix time.
  seconds(ns) {
    return this.hello ? (this.hello.unix_ms + (ns - this.hello.time_ns) / 1e6) / 1000 : ns / 1e9;
  }

  addSample(sample) {
    for (const heap of sample.heaps) {
      const key = `${heap.index} ${heap.name}`;
      if (!this.heaps.has(key))
        this.heaps.set(key, {key, index: heap.index, name: heap.name, samples: []});
      const {samples} = this.heaps.get(key);
      const last = samples[samples.length - 1];
      if (last && last.time_ns >= sample.time_ns) continue; // told twice
      heap.time_ns = sample.time_ns;
      samples.push(heap);
      if (samples.length > KEPT_SAMPLES + 400) samples.splice(0, 400);
    }
  }

  addRecord(record) {
    const name = `${record.heap} ${record.sequence} ${record.time_ns}`;
    if (this.seen.has(name)) return;
    this.seen.add(name);
    let at = this.records.length;
    while (at > 0 && this.records[at - 1].time_ns > record.time_ns) at--;
    this.records.splice(at, 0, record);
    if (this.records.length > KEPT_RECORDS) {
      const gone = this.records.shift();
      this.seen.delete(`${gone.heap} ${gone.sequence} ${gone.time_ns}`);
    }
  }

  keys() {
    return [...this.heaps.values()].sort((a, b) => a.index - b.index).map((heap) => heap.key);
  }

  // The samples of a heap's last minutes.
  window(key, minutes) {
    const heap = this.heaps.get(key);
    if (!heap || heap.samples.length === 0) return [];
    const {samples} = heap;
    const from = samples[samples.length - 1].time_ns - minutes * 60e9;
    let low = 0,
      high = samples.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (samples[middle].time_ns < from) low = middle + 1;
      else high = middle;
    }
    return samples.slice(low);
  }

  recordsOf(key) {
    const heap = this.heaps.get(key);
    return heap ? this.records.filter((record) => record.heap === heap.name) : [];
  }

  // The full books of a heap, as /stats.json has them.
  booksOf(key) {
    const heap = this.heaps.get(key);
    return heap && this.books ? this.books.heaps[heap.index] || null : null;
  }
}
