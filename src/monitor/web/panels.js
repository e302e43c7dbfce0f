// panels.js - everything of the page that is text: what a heap holds, what was done, and why not.
import {size, exact, time, percent, clock} from "./format.js";
import {BOOKS, freed} from "./store.js";

const element = (id) => document.getElementById(id);
const ABOUT = {
  live: "blocks in use",
  free: "free blocks in pages",
  waste: "page tails that no block can use",
  dirty: "free pages that the system still backs",
  meta: "the library\u2019s own bookkeeping",
};
// Why an action that was due did not run.
const VERDICTS = {
  fired: "ran",
  cooldown: "not run: it ran a moment ago (cooldown)",
  cap: "not run: collecting used up its share of time (cap)",
  floor: "not run: too little was allocated since (floor)",
  reentrant: "not run: an action was running already (reentrant)",
  ineffective: "not run: it freed too little the last times (ineffective)",
  no_hook: "not run: the host has no hook for it (no_hook)",
  yield: "not run: another action frees more for its time (yield)",
  deferred: "waits for the host\u2019s next safe point (deferred)",
  failed_request: "a request failed",
  limits_changed: "the limits changed",
};

function cell(tag, text, more = {}) {
  const node = document.createElement(tag);
  node.textContent = text;
  for (const [name, value] of Object.entries(more)) {
    if (name === "title") node.title = value;
    else if (name === "scope" || name === "class") node.setAttribute(name, value);
    else node.dataset[name] = value;
  }
  return node;
}

function row(cells, more = {}) {
  const node = document.createElement("tr");
  Object.assign(node.dataset, more);
  node.append(...cells);
  return node;
}

const head = (text) => cell("th", text, {scope: "row"});

// A share as a number on a bar.
function shareCell(share) {
  const node = cell("td", percent(share), {class: "bar"});
  node.style.setProperty("--share", Math.min(Math.max(share, 0), 1));
  return node;
}

function fill(id, rows, empty, columns) {
  const body = element(id).tBodies[0];
  if (rows.length === 0) {
    const none = cell("td", empty, {class: "none"});
    none.colSpan = columns;
    rows = [row([none])];
  }
  body.replaceChildren(...rows);
}

// ---- now ---------------------------------------------------------------------------------------

function nearestLimit(sample) {
  if (sample.soft_limit_bytes) return ["soft limit", sample.soft_limit_bytes];
  return sample.hard_limit_bytes ? ["hard limit", sample.hard_limit_bytes] : null;
}

function sentence(sample, records, now_ns) {
  const limit = nearestLimit(sample);
  const full = limit
    ? `${percent(sample.footprint_bytes / limit[1])} of its ${limit[0]} of ${size(limit[1])}`
    : "no limit is set";
  const ran = records.filter((r) => r.verdict === "fired" && now_ns - r.time_ns < 60e9);
  const bytes = ran.reduce((sum, r) => sum + freed(r), 0);
  const done = ran.length
    ? `${ran.length} action${ran.length > 1 ? "s" : ""} in the last minute freed ${size(bytes)}`
    : "no action in the last minute";
  return `Footprint ${size(sample.footprint_bytes)}: ${full}; ${done}.`;
}

const TILES = [
  ["footprint", (s) => size(s.footprint_bytes), "live plus informed: what the policies look at"],
  [
    "soft limit",
    (s) => (s.soft_limit_bytes ? size(s.soft_limit_bytes) : "none"),
    "to stay below by collecting",
  ],
  ["hard limit", (s) => (s.hard_limit_bytes ? size(s.hard_limit_bytes) : "none"), "never exceeded"],
  [
    "trip",
    (s) => (s.trip_bytes ? size(s.trip_bytes) : "none"),
    "footprint at which the policies look up",
  ],
  ["committed", (s) => size(s.committed_bytes), "what the system backs: the sum of the books"],
  ["informed", (s) => size(s.informed_bytes), "bytes outside the heap that the host told of"],
  [
    "fragmentation",
    (s) => `${size(s.fragmentation_bytes)}`,
    "free bytes that moving blocks would release",
  ],
  ["allocated/s", (s) => size(s.allocated_bytes_per_s || 0), "bytes allocated in the last second"],
  [
    "collectors",
    (s) => percent((s.action_ns_per_s || 0) / 1e9),
    "share of the last second that actions took",
  ],
];

export function showNow(sample, records) {
  const tiles = element("tiles");
  if (!tiles.children.length) {
    tiles.append(
      ...TILES.map(([name, , about]) => {
        const tile = document.createElement("div");
        tile.title = about;
        tile.append(cell("dt", name), cell("dd", ""));
        tile.lastChild.id = `tile-${name.replace(/\W/g, "-")}`;
        return tile;
      }),
    );
  }
  TILES.forEach(([, value], i) => {
    tiles.children[i].lastChild.textContent = value(sample);
  });
  const limit = nearestLimit(sample);
  const verdict = element("verdict");
  verdict.textContent = sentence(sample, records, sample.time_ns);
  verdict.dataset.level = limit && sample.footprint_bytes > 0.9 * limit[1] ? "warn" : "";
}

// ---- where the bytes are -----------------------------------------------------------------------

export function showBooks(sample) {
  const total = sample.committed_bytes;
  const line = (book) => {
    const bytes = sample[`${book}_bytes`];
    const name = head(book);
    name.title = ABOUT[book];
    name.className = `key ${book}`;
    return row(
      [
        name,
        cell("td", size(bytes)),
        cell("td", exact(bytes)),
        shareCell(total ? bytes / total : 0),
      ],
      {book, bytes},
    );
  };
  const table = element("books");
  table.tBodies[0].replaceChildren(...BOOKS.map(line));
  table.tFoot.replaceChildren(
    row([head("committed"), cell("td", size(total)), cell("td", exact(total)), cell("td", "")], {
      book: "committed",
      bytes: total,
    }),
  );
}

export function showPools(books, before, seconds) {
  const earlier = new Map((before ? before.pools : []).map((pool) => [pool.name, pool]));
  const live = books.live_bytes || 1;
  const rows = books.pools
    .filter((pool) => pool.allocs_total)
    .sort((a, b) => b.live_bytes - a.live_bytes)
    .map((pool) => {
      const past = earlier.get(pool.name);
      const rate =
        past && seconds > 0
          ? (pool.allocated_bytes_total - past.allocated_bytes_total) / seconds
          : 0;
      return row(
        [
          head(pool.name),
          cell("td", size(pool.live_bytes)),
          shareCell(pool.live_bytes / live),
          cell("td", exact(pool.live_blocks)),
          cell("td", size(rate)),
        ],
        {pool: pool.name},
      );
    });
  fill("pools", rows, "nothing was allocated so far", 5);
}

export function showTags(books) {
  const rows = [...books.tags]
    .sort((a, b) => b.informed_bytes - a.informed_bytes)
    .map((tag) =>
      row(
        [
          head(tag.name),
          cell("td", size(tag.informed_bytes)),
          cell("td", size(tag.informed_peak_bytes)),
        ],
        {tag: tag.name},
      ),
    );
  fill("tags", rows, "the host told of no bytes outside the heap", 3);
}

// ---- who holds it -------------------------------------------------------------------------------

const NO_PROFILE =
  "No profile runs: start the program with tidemark run --profile FILE, or call " +
  "tm_profile_start, to see which code holds the memory.";

function holdersNote(answer) {
  if (!answer.mean_bytes) return NO_PROFILE;
  const samples = answer.samples_live === 1 ? "1 sample" : `${exact(answer.samples_live)} samples`;
  const each = answer.mean_bytes === 1 ? "every block" : `one byte in ${size(answer.mean_bytes)}`;
  const about = `${samples} of live blocks, from ${each}`;
  return answer.running
    ? `${about}.`
    : `${about}. The profile was stopped: what was allocated since is not in it.`;
}

// Its stack below a name. One that is shown already is kept, open or not as its reader left it.
function stackOf(holder, shown) {
  const key = JSON.stringify([holder.heap, holder.pool, holder.frames]);
  const kept = shown.get(key);
  if (kept) {
    shown.delete(key); // two rows may differ in outer frames only
    return kept;
  }
  const details = document.createElement("details");
  const list = document.createElement("ol");
  list.append(...holder.frames.map((frame) => cell("li", frame)));
  if (holder.more) list.append(cell("li", "\u2026"));
  details.append(cell("summary", holder.who, {title: holder.frames.join("\n")}), list);
  details.dataset.key = key;
  return details;
}

export function showHolders(answer) {
  const table = element("holders");
  const shown = new Map(
    [...table.querySelectorAll("details")].map((details) => [details.dataset.key, details]),
  );
  const focused = table.contains(document.activeElement) ? document.activeElement : null;
  const many = new Set(answer.holders.map((holder) => holder.heap)).size > 1;
  const rows = answer.holders.map((holder) => {
    const who = head("");
    who.append(stackOf(holder, shown));
    return row(
      [
        who,
        cell("td", many ? `${holder.heap}: ${holder.pool}` : holder.pool),
        cell("td", size(holder.bytes)),
        shareCell(holder.bytes / (answer.live_bytes || 1)),
        cell("td", exact(holder.blocks)),
      ],
      {who: holder.who, bytes: holder.bytes},
    );
  });
  element("holders-note").textContent = holdersNote(answer);
  element("holders-box").hidden = !answer.mean_bytes;
  fill("holders", rows, "nothing that is live was sampled so far", 5);
  // it was taken out and put in again
  if (focused && focused.isConnected) focused.focus({preventScroll: true});
}

// ---- what was done -----------------------------------------------------------------------------

export function showActions(books) {
  const rows = Object.entries(books.actions)
    .map(([kind, action]) => {
      const held = Object.entries(action.suppressed_total).filter(([, count]) => count);
      held.sort((a, b) => b[1] - a[1]);
      const sum = held.reduce((total, [, count]) => total + count, 0);
      return {kind, action, sum, most: held.length ? `${exact(sum)}, mostly ${held[0][0]}` : "0"};
    })
    .filter(({action, sum}) => action.runs_total || sum)
    .map(({kind, action, most}) =>
      row(
        [
          head(kind),
          cell("td", exact(action.runs_total)),
          cell("td", size(action.reclaimed_bytes_total)),
          cell("td", time(action.duration_ns_total)),
          cell("td", most),
        ],
        {kind},
      ),
    );
  fill("actions", rows, "no action was due so far", 5);
}

const SHOWS = {
  all: () => true,
  ran: (record) => record.verdict === "fired",
  held: (record) => record.verdict !== "fired" && record.verdict !== "deferred",
};

export function showLog(store, records, which) {
  const rows = records
    .filter(SHOWS[which])
    .slice(-100)
    .reverse()
    .map((record) => {
      const ran = record.verdict === "fired";
      const footprint = ran
        ? `${size(record.footprint_before_bytes)} \u2192 ${size(record.footprint_after_bytes)}`
        : size(record.footprint_before_bytes);
      return row(
        [
          cell("td", clock(store.seconds(record.time_ns) * 1000)),
          cell("td", record.kind || "\u2013"),
          cell("td", VERDICTS[record.verdict] || record.verdict),
          cell("td", record.reasons.join(", ")),
          cell("td", ran ? size(freed(record)) : ""),
          cell("td", footprint),
          cell("td", ran ? time(record.duration_ns) : ""),
        ],
        {verdict: record.verdict},
      );
    });
  const none = records.length
    ? "none of the decisions that are kept"
    : "nothing was decided so far";
  fill("log", rows, none, 7);
}

// The doctor looks once a minute, and most troubles are only seen by comparing two looks.
const SEEN_BY_THEN_NS = 120e9;
const NOT_YET =
  "Nothing to complain about yet; what only shows over time is looked for after two minutes.";

export function showFindings(findings, up_ns) {
  const none = up_ns < SEEN_BY_THEN_NS ? NOT_YET : "Nothing to complain about.";
  const list = findings.map((finding) => {
    const item = document.createElement("li");
    item.dataset.level = finding.level;
    item.dataset.id = finding.id;
    item.append(
      cell("b", finding.level),
      " ",
      cell("span", finding.what),
      " ",
      cell("em", finding.do),
    );
    return item;
  });
  element("findings").replaceChildren(
    ...(list.length ? list : [cell("li", none)]),
  );
}
