// The review of a run in a browser: one module for the notebook widget and for the page that needs no server.
//
// All pictures are composed here, from the grey frame, the logits in 8 bits and the masks (docs/review.md), so that no
// slider waits for anyone. Texts are only ever set as text, never as markup.

// ---------------------------------------------------------------------------------------------------------------------
// Arithmetic. What `helpers/review/coding.py` does in float32 is done here operation by operation.

const fround = Math.fround;

export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

export async function inflated(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// A packed mask as one byte a pixel, 0 or 1.
export async function unpackedMask(base64, count) {
  const packed = await inflated(base64);
  const mask = new Uint8Array(count);
  for (let i = 0; i < count; i++) mask[i] = (packed[i >> 3] >> (7 - (i & 7))) & 1;
  return mask;
}

function taps(size, wanted) {
  const first = new Int32Array(wanted), second = new Int32Array(wanted);
  const near = new Float32Array(wanted), far = new Float32Array(wanted);
  for (let i = 0; i < wanted; i++) {
    const place = Math.max((i + 0.5) * (size / wanted) - 0.5, 0);
    first[i] = Math.min(Math.floor(place), size - 1);
    second[i] = Math.min(first[i] + 1, size - 1);
    far[i] = place - first[i];
    near[i] = 1 - far[i];
  }
  return { first, second, near, far };
}

// Bilinear, corners not aligned: columns first, then rows.
export function resized(values, width, height, toWidth, toHeight) {
  const x = taps(width, toWidth), y = taps(height, toHeight);
  const wide = new Float32Array(toWidth * height), full = new Float32Array(toWidth * toHeight);
  for (let row = 0; row < height; row++) {
    const from = row * width, to = row * toWidth;
    for (let i = 0; i < toWidth; i++) {
      wide[to + i] = fround(x.near[i] * values[from + x.first[i]]) + fround(x.far[i] * values[from + x.second[i]]);
    }
  }
  for (let row = 0; row < toHeight; row++) {
    const above = y.first[row] * toWidth, below = y.second[row] * toWidth, to = row * toWidth;
    const near = y.near[row], far = y.far[row];
    for (let i = 0; i < toWidth; i++) full[to + i] = fround(near * wide[above + i]) + fround(far * wide[below + i]);
  }
  return full;
}

// The one map of the frame's size that thresholds are applied to.
export async function fullSize(maps, width, height) {
  const levels = new Float32Array(bytesOf(maps.levels).buffer);
  let largest = null;
  for (const text of maps.codes) {
    const codes = await inflated(text);
    let values = new Float32Array(codes.length);
    for (let i = 0; i < codes.length; i++) values[i] = levels[codes[i]];
    if (maps.network_size !== null) {
      const side = maps.network_size;
      values = resized(resized(values, maps.width, maps.height, side, side), side, side, width, height);
    }
    if (largest === null) largest = values;
    else for (let i = 0; i < values.length; i++) if (values[i] > largest[i]) largest[i] = values[i];
  }
  return largest;
}

export function maskAt(full, threshold, mask = new Uint8Array(full.length)) {
  const cut = fround(Math.log(threshold / (1 - threshold)));
  for (let i = 0; i < full.length; i++) mask[i] = full[i] > cut ? 1 : 0;
  return mask;
}

// Pixels in the prediction alone (1), in the truth alone (2) and in both (3).
export function countsOf(truth, mask) {
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < mask.length; i++) counts[mask[i] | (truth[i] << 1)]++;
  return counts;
}

export function scoresOf([, alone, missed, both]) {
  const share = (part, whole) => (whole ? part / whole : null);
  return {
    dice: alone + missed + both === 0 ? 1 : share(2 * both, 2 * both + alone + missed),
    precision: share(both, both + alone),
    recall: share(both, both + missed),
  };
}

const FAR = 255;

// Steps from each pixel to the mask, straight or diagonal, up to 255; 0 within it.
export function distancesTo(mask, width, height) {
  const found = new Uint8Array(mask.length);
  for (let i = 0; i < mask.length; i++) found[i] = mask[i] ? 0 : FAR;
  // Once from the top left and once from the bottom right: each pixel is one step further than its nearest neighbour.
  for (const [first, step] of [[0, 1], [mask.length - 1, -1]]) {
    for (let row = 0, i = first; row < height; row++) {
      for (let x = 0; x < width; x++, i += step) {
        if (found[i] === 0) continue;
        let least = x > 0 ? found[i - step] : FAR;
        if (row > 0) {
          const before = i - step * width;
          if (found[before] < least) least = found[before];
          if (x > 0 && found[before - step] < least) least = found[before - step];
          if (x < width - 1 && found[before + step] < least) least = found[before + step];
        }
        if (least + 1 < found[i]) found[i] = least + 1;
      }
    }
  }
  return found;
}

// A line around a mask, outside it, so that what lies inside stays in sight.
export function outlineOf(distances, width) {
  const found = new Uint8Array(distances.length);
  for (let i = 0; i < found.length; i++) if (distances[i] > 0 && distances[i] <= width) found[i] = 1;
  return found;
}

// Each of 256 greys in each of several classes as a pixel; class 0 is the frame itself.
export function lookup({ window: span, level, invert }, colours, opacity, blank = false) {
  const table = new Uint32Array(256 * (colours.length + 1));
  for (let value = 0; value < 256; value++) {
    const scaled = Math.min(Math.max((value - (level - span / 2)) / span, 0), 1) * 255;
    const grey = blank ? 0 : invert ? 255 - scaled : scaled;
    table[value] = pixel(grey, grey, grey);
    colours.forEach((colour, place) => {
      const [r, g, b] = colour.map((part) => (1 - opacity) * grey + opacity * part);
      table[(place + 1) * 256 + value] = pixel(r, g, b);
    });
  }
  return table;
}

function pixel(r, g, b) {
  return ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
}

// ---------------------------------------------------------------------------------------------------------------------
// Cases: what is decoded once, and the queue.

async function greyOf(url, width, height) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  return Uint8Array.from({ length: width * height }, (_, i) => pixels[4 * i]);
}

async function decoded(payload) {
  const { width, height } = payload, count = width * height;
  const mask = (text) => (text === null ? null : unpackedMask(text, count));
  const [grey, truth, centreline] = await Promise.all([
    payload.image === null ? new Uint8Array(count) : greyOf(payload.image, width, height),
    mask(payload.truth),
    mask(payload.centreline),
  ]);
  const predictions = await Promise.all(
    payload.predictions.map(async (one) =>
      one === null
        ? { status: "missing", words: null, stored: null, full: null }
        : {
            status: one.status,
            words: one.words,
            stored: await mask(one.mask),
            full: one.maps === null ? null : await fullSize(one.maps, width, height),
          },
    ),
  );
  return { ...payload, grey, truth, centreline, predictions };
}

const byName = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// The same order as `ReviewSession.arrange`: stable, cases without a value first under worst, last under best, and cases
// where nothing is to be seen behind all others.
export function arranged(cases, order, metric, lowerIsBetter, kept) {
  const found = cases.filter(kept);
  if (order === "natural") return found;
  const badness = (one) => {
    const value = one.scores[metric];
    return value === undefined || value === null ? Infinity : lowerIsBetter ? value : -value;
  };
  const sign = order === "worst" ? -1 : 1;
  return found.sort((a, b) => {
    if (Boolean(a.empty) !== Boolean(b.empty)) return a.empty ? 1 : -1;
    if (a.empty) return 0;
    const [x, y] = [badness(a), badness(b)];
    return x === y ? 0 : sign * (x < y ? -1 : 1);
  });
}

// The moment that a record's time names, in microseconds of the epoch; NaN where it names none: `verdicts.moment_of`.
export function momentOf(time) {
  const found =
    /^([12]\d{3})-(\d\d)-(\d\d)T((?:[01]\d|2[0-3]):[0-5]\d)(:[0-5]\d)?(?:\.(\d{1,9}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/
      .exec(time);
  if (!found || (found[6] && !found[5])) return NaN;
  const [, year, month, day, minutes, seconds = ":00", fraction = "", zone] = found;
  const date = new Date(Date.UTC(+year, +month - 1, +day));
  if (date.getUTCMonth() !== +month - 1 || date.getUTCDate() !== +day) return NaN;
  const whole = Date.parse(`${year}-${month}-${day}T${minutes}${seconds}.000${zone}`);
  return whole * 1000 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

// A reviewer's records in the order in which they were given.
function recordsOf(records, reviewer) {
  const mine = records.filter((one) => one.reviewer === reviewer);
  return mine.sort((a, b) => momentOf(a.time) - momentOf(b.time));
}

// Case id -> the verdict of a reviewer that stands.
export function standing(records, reviewer) {
  const mine = recordsOf(records, reviewer);
  const gone = new Set(mine.map((one) => one.withdraws).filter(Boolean));
  const found = new Map();
  for (const one of mine) {
    if (one.verdict === null || gone.has(one.id)) continue;
    found.delete(one.case_id);
    found.set(one.case_id, one);
  }
  return found;
}

// The present time, but later than that of the given records: a clock may have been set back since.
export function timeAfter(records, now = new Date()) {
  const last = records.reduce((latest, one) => Math.max(latest, momentOf(one.time)), -Infinity);
  if (now.getTime() * 1000 > last) return now.toISOString();
  return new Date(Math.floor(last / 1000) + 1).toISOString();
}

// Whether a record is on what a run says of the record's case now. Records of earlier versions name the run as a whole.
export function isOn(record, run, prediction) {
  if ((record.prediction ?? null) === null) return record.run === run;
  return record.prediction === prediction;
}

function newId() {
  const parts = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(parts, (part) => part.toString(16).padStart(2, "0")).join("");
}

// ---------------------------------------------------------------------------------------------------------------------
// The screen.

const PANELS = ["Original", "Ground truth", "Prediction", "Overlay"];
const MISS = [255, 0, 255];
const NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/;
const VERDICTS = ["accept", "fix", "reject"];
const HEADLINE = ["dice", "precision", "recall"];
const PLAY_MS = 180;
const PATIENCE_MS = 20_000;

// key, what `event.key` is, what it does. One table for the handler and for the list that `?` shows.
const KEYS = [
  ["Cases", [
    ["→ or n", ["ArrowRight", "n"], "next case", (v) => v.step(1)],
    ["← or p", ["ArrowLeft", "p"], "previous case", (v) => v.step(-1)],
    ["Home, End", ["Home", "End"], "first, last case", (v, key) => v.step(key === "Home" ? -Infinity : Infinity)],
    ["u", ["u"], "next case without a verdict", (v) => v.nextOpen()],
    [", and .", [",", "."], "frame before, after in the sequence", (v, key) => v.stepFrame(key === "." ? 1 : -1)],
    ["y", ["y"], "play the sequence, stop", (v) => v.play()],
    ["g", ["g"], "sort and filters (Tab: next, Esc leaves)", (v) => v.parts.sort.focus()],
  ]],
  ["Verdict", [
    ["a", ["a"], "accept", (v) => v.give("accept")],
    ["f", ["f"], "to be fixed", (v) => v.give("fix")],
    ["r", ["r"], "reject", (v) => v.give("reject")],
    ["2 … 9", ["2", "3", "4", "5", "6", "7", "8", "9"], "reason tag 2 … 9 on, off", (v, key) => v.tag(Number(key) - 2)],
    ["e", ["e"], "write a note (Esc leaves it)", (v) => v.parts.note.focus()],
    ["z", ["z"], "take the last verdict back", (v) => v.undo()],
  ]],
  ["Mask", [
    ["↑ and ↓", ["ArrowUp", "ArrowDown"], "threshold up, down", (v, key) => v.nudge("threshold", key === "ArrowUp" ? 1 : -1)],
    ["t", ["t"], "the run's own threshold", (v) => v.set("threshold", v.subject.threshold)],
    ["o and O", ["o", "O"], "more, less opaque", (v, key) => v.nudge("opacity", key === "o" ? 1 : -1)],
    ["c", ["c"], "contours only", (v) => v.toggle("contour")],
    ["d and D", ["d", "D"], "contours wider, thinner", (v, key) => v.nudge("width", key === "d" ? 1 : -1)],
    ["m", ["m"], "map of errors on black", (v) => v.toggle("map")],
    ["k", ["k"], "centreline that was missed", (v) => v.toggle("centreline")],
    ["v", ["v"], "other colours", (v) => v.toggle("palette")],
    ["s", ["s"], "swipe: truth | prediction", (v) => v.toggle("swipe")],
    ["[ and ]", ["[", "]"], "line of the swipe left, right", (v, key) => v.nudge("divide", key === "]" ? 4 : -4)],
    ["Space", [" "], "hold: hide all colours", (v) => v.hide(true)],
    ["b", ["b"], "the other run", (v) => v.otherRun()],
    ["x", ["x"], "blind A/B, with two runs", (v) => v.blindly()],
  ]],
  ["Picture", [
    ["w and W", ["w", "W"], "window wider, narrower", (v, key) => v.nudge("window", key === "w" ? 4 : -4)],
    ["l and L", ["l", "L"], "level up, down", (v, key) => v.nudge("level", key === "l" ? 4 : -4)],
    ["i", ["i"], "invert", (v) => v.toggle("invert")],
    ["q", ["q"], "all settings of mask and picture back", (v) => v.reset()],
    ["+ and −", ["+", "=", "-"], "zoom in, out", (v, key) => v.zoomBy(key === "-" ? 1 / 1.25 : 1.25)],
    ["h and H", ["h", "H"], "move left, right", (v, key) => v.pan(key === "h" ? -1 : 1, 0)],
    ["j and J", ["j", "J"], "move down, up", (v, key) => v.pan(0, key === "j" ? 1 : -1)],
    ["0", ["0"], "fit", (v) => v.fit()],
    ["1", ["1"], "one pixel to one", (v) => v.actualSize()],
  ]],
  ["Help", [
    ["?", ["?"], "these keys, on and off", (v) => v.help()],
  ]],
];
const BY_KEY = new Map(KEYS.flatMap(([, rows]) => rows.flatMap(([, keys, , act]) => keys.map((key) => [key, act]))));

const SLIDERS = {
  threshold: ["Threshold", 0.005, 0.995, 0.005],
  opacity: ["Opacity", 0, 1, 0.05],
  width: ["Contour", 1, 5, 1],
  window: ["Window", 2, 255, 1],
  level: ["Level", 0, 255, 1],
  divide: ["Swipe", 0, 1, 0.01],
};
const TOGGLES = {
  contour: "Contours only",
  invert: "Invert",
  map: "Error map",
  centreline: "Missed centreline",
  swipe: "Swipe",
  palette: "Red/green colours",
  blind: "Blind A/B",
};
const DEFAULTS = {
  opacity: 0.6, width: 1, window: 255, level: 127.5, divide: 0.5,
  contour: false, invert: false, map: false, centreline: false, swipe: false, palette: false,
  blind: false,
};

function make(tag, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  Object.assign(node.dataset, dataset);
  node.append(...children);
  return node;
}

function label(text, control) {
  return make("label", {}, make("span", { textContent: text }), control);
}

function options(select, values, all) {
  select.replaceChildren(make("option", { value: "", textContent: all }));
  for (const [value, text] of values) select.append(make("option", { value, textContent: text }));
}

const written = (value, digits = 3) => (value === null || value === undefined ? "–" : value.toFixed(digits));

// `host`: load(case_id) gives a payload, save(record) keeps a record and may fail; `reviewer` is null where it is asked
// for on the screen, which then also offers verdicts as a file.
export class Viewer {
  constructor(root, facts, host) {
    Object.assign(this, { root, facts, host, records: [...facts.verdicts], cache: new Map(), run: 0, data: null });
    this.predictions = new Map(facts.cases.map((one) => [one.case_id, one.predictions]));
    this.beside = facts.beside;
    this.state = { ...DEFAULTS, threshold: facts.runs[0].threshold };
    this.reviewer = host.reviewer ?? "";
    this.cases = [...facts.cases].sort((a, b) => byName.compare(a.case_id, b.case_id));
    this.queue = this.cases;
    this.place = 0;
    this.reasons = new Set();
    this.view = null;
    this.cursor = null;
    this.hidden = false;
    this.asked = 0;
    this.build();
    this.arrange();
  }

  get subject() {
    return this.facts.runs[this.run];
  }

  // The verdicts of this reviewer on the run that is shown, or on that of another place.
  given(place = this.run) {
    return standing(this.records.filter((one) => this.isOn(one, place)), this.reviewer);
  }

  isOn(record, place) {
    return isOn(record, this.facts.runs[place].run, this.predictions.get(record.case_id)?.[place]);
  }

  get prediction() {
    return this.data?.predictions[this.run] ?? null;
  }

  get case() {
    return this.queue[this.place] ?? null;
  }

  // Whether the threshold is the run's own.
  get own() {
    return this.state.threshold === this.subject.threshold;
  }

  // -- building -------------------------------------------------------------------------------------------------------

  build() {
    const parts = (this.parts = { sliders: {}, values: {}, toggles: {}, scores: {} });
    this.root.classList.add("vesselkit-review");
    this.root.tabIndex = 0;
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab keeps its own keys away from here
    this.root.setAttribute("role", "application");
    this.root.setAttribute("aria-label", "Review of a run. Press ? for the keys.");
    this.root.replaceChildren(
      this.buildHeader(parts), this.buildQueue(parts), this.buildPanels(parts),
      make("div", { className: "vk-below" }, this.buildMask(parts), this.buildVerdict(parts)), this.buildHelp(parts),
    );
    this.stop = new AbortController();
    const { signal } = this.stop;
    const keys = this.host.keysFrom ?? this.root;
    keys.addEventListener("keydown", (event) => this.keyDown(event), { signal });
    keys.addEventListener("keyup", (event) => event.key === " " && this.hidden && this.hide(false), { signal });
    // A button that was clicked gives the keys back; one that was reached by Tab keeps them.
    this.root.addEventListener("click", (event) => {
      if (event.detail > 0 && event.target.closest("button")) this.root.focus({ preventScroll: true });
    }, { signal });
    this.root.addEventListener("focusout", () => this.hidden && this.hide(false), { signal });
    this.watch = new ResizeObserver(() => this.data && this.draw("view"));
    parts.panels.forEach((panel) => this.watch.observe(panel.canvas));
  }

  buildHeader(parts) {
    parts.id = make("h2", { className: "vk-id" });
    const stamp = make("strong", { className: "vk-stamp", textContent: this.facts.stamp ?? "" });
    stamp.hidden = !this.facts.stamp;
    const standing = make("span", { className: "vk-chip vk-standing", textContent: this.facts.title ?? "" });
    standing.hidden = !this.facts.title;
    parts.trained = make("strong", { className: "vk-chip vk-warning", textContent: "TRAINING patient", hidden: true });
    parts.facts = make("span", { className: "vk-facts" });
    parts.status = make("span", { className: "vk-chip" });
    parts.warning = make("span", { className: "vk-chip vk-warning", hidden: true });
    parts.given = make("span", { className: "vk-chip", hidden: true });
    parts.progress = make("span", { className: "vk-progress", role: "status" });
    parts.bar = make("progress", { max: 1, value: 0, ariaLabel: "reviewed" });
    const help = make("button", { type: "button", textContent: "Keys ?", onclick: () => this.help() });
    const run = make("span", { className: "vk-run" });
    parts.run = run;
    return make(
      "header", {},
      make("div", { className: "vk-line" }, parts.id, stamp, parts.status, parts.given, parts.warning, parts.trained,
        parts.facts, standing),
      make("div", { className: "vk-line vk-right" }, run, parts.progress, parts.bar, help),
    );
  }

  buildQueue(parts) {
    const { facts } = this;
    const again = () => this.arrange();
    const filter = (name, values, all) => {
      parts[name] = make("select", { onchange: again, dataset: { control: name } });
      options(parts[name], values, all);
      return parts[name];
    };
    const distinct = (name) => {
      const found = [...new Set(this.cases.map((one) => one[name]).filter((value) => value !== null))];
      return found.sort(byName.compare).map((value) => [value, value]);
    };
    const orders = facts.metrics.flatMap(({ name, title }) => [
      [`worst:${name}`, `worst ${title} first`],
      [`best:${name}`, `best ${title} first`],
    ]);
    const fields = [
      label("Sort", filter("sort", orders, "by case id")),
      label("Status", filter("statusFilter", distinct("status"), "all")),
      label("Verdict", filter("verdictFilter", ["none", ...VERDICTS].map((one) => [one, one]), "all")),
    ];
    if (orders.length) parts.sort.value = orders[0][0];
    for (const [name, title] of [["sequence", "Sequence"], ["patient", "Patient"]]) {
      const values = distinct(name);
      const control = filter(`${name}Filter`, values, "all");
      if (values.length) fields.splice(1, 0, label(title, control));
    }
    parts.number = make("output", {});
    parts.slider = make("input", {
      type: "range", min: 1, step: 1, dataset: { control: "case" },
      oninput: () => this.show(Number(parts.slider.value) - 1),
    });
    parts.frame = make("input", {
      type: "range", min: 1, step: 1, dataset: { control: "frame" },
      oninput: () => this.showFrame(Number(parts.frame.value) - 1),
    });
    parts.frameNumber = make("output", {});
    parts.playing = make("button", { type: "button", textContent: "▶ Play", onclick: () => this.play() });
    parts.frames = make("div", { className: "vk-field vk-wide", hidden: true },
      label("Frame", parts.frame), parts.frameNumber, parts.playing);
    const step = (text, name, count) =>
      make("button", { type: "button", textContent: text, ariaLabel: name, onclick: () => this.step(count) });
    return make(
      "nav", {}, ...fields,
      make("div", { className: "vk-field vk-wide" }, step("‹", "previous case", -1), label("Case", parts.slider),
        step("›", "next case", 1), parts.number),
      parts.frames,
    );
  }

  buildPanels(parts) {
    parts.panels = [...PANELS, ...this.beside.map(({ name }) => name)].map((title, place) => {
      const canvas = make("canvas", { role: "img", ariaLabel: title, dataset: { panel: String(place) } });
      const note = make("p", { className: "vk-note", hidden: true });
      const caption = make("figcaption", {}, make("b", { textContent: title }));
      const legend = make("span", { className: "vk-legend" });
      // Beside others the prediction has its Dice in sight as they have theirs.
      const dice = make("output", { dataset: { dice: String(place) }, title: "Dice" });
      caption.append(...(this.beside.length && (place === 2 || place >= PANELS.length) ? [dice] : []), legend);
      const panel = { canvas, note, legend, dice, source: document.createElement("canvas") };
      this.listenToMouse(panel);
      panel.figure = make("figure", {}, caption, make("div", { className: "vk-frame" }, canvas, note));
      return panel;
    });
    parts.pixel = make("output", { className: "vk-pixel", textContent: "move over a picture to read its pixels" });
    const button = (text, act) => make("button", { type: "button", textContent: text, onclick: act });
    return make(
      "section", {},
      make("div", { className: "vk-panels" }, ...parts.panels.map((panel) => panel.figure)),
      make("div", { className: "vk-line vk-tools" }, button("Fit", () => this.fit()), button("1:1", () => this.actualSize()),
        button("−", () => this.zoomBy(1 / 1.25)), button("+", () => this.zoomBy(1.25)), parts.pixel),
    );
  }

  buildMask(parts) {
    const slider = (name) => {
      const [title, min, max, step] = SLIDERS[name];
      const input = make("input", { type: "range", min, max, step, dataset: { control: name } });
      input.addEventListener("input", () => this.set(name, Number(input.value)));
      parts.sliders[name] = input;
      parts.values[name] = make("output", {});
      return make("div", { className: "vk-field" }, label(title, input), parts.values[name]);
    };
    const toggle = (name) => {
      const input = make("input", { type: "checkbox", dataset: { control: name }, onchange: () => this.toggle(name) });
      parts.toggles[name] = input;
      return make(
        "label", { className: "vk-toggle", hidden: name === "blind" && this.facts.runs.length < 2 },
        input, make("span", { textContent: TOGGLES[name] }),
      );
    };
    const score = (name, title) => {
      parts.scores[name] = make("output", { dataset: { score: name }, textContent: "–" });
      return make("div", { className: "vk-score" }, make("span", { textContent: title }), parts.scores[name]);
    };
    parts.atThreshold = make("p", { className: "vk-hint" });
    parts.other = make("button", { type: "button", textContent: "Other run", onclick: () => this.otherRun() });
    parts.other.hidden = this.facts.runs.length < 2;
    const reset = make("button", { type: "button", textContent: "Reset", onclick: () => this.reset() });
    return make(
      "section", { className: "vk-card" },
      make("div", { className: "vk-scores" }, score("dice", "Dice"), score("precision", "Precision"),
        score("recall", "Recall"), score("centreline", "Centreline found")),
      parts.atThreshold,
      make("div", { className: "vk-grid" }, ...Object.keys(SLIDERS).map(slider)),
      make("div", { className: "vk-line" }, ...Object.keys(TOGGLES).map(toggle), reset, parts.other),
    );
  }

  buildVerdict(parts) {
    const button = (verdict, text) =>
      make("button", {
        type: "button", className: `vk-verdict vk-${verdict}`, textContent: text, dataset: { verdict },
        onclick: () => this.give(verdict),
      });
    parts.buttons = [button("accept", "Accept (a)"), button("fix", "Fix (f)"), button("reject", "Reject (r)")];
    parts.tags = this.facts.reasons.map((reason, place) =>
      make("button", {
        type: "button", className: "vk-tag", textContent: `${place + 2} ${reason}`, ariaPressed: "false",
        onclick: () => this.tag(place),
      }),
    );
    parts.note = make("input", { type: "text", maxLength: 2000, placeholder: "note (e)", dataset: { control: "note" } });
    parts.advance = make("input", { type: "checkbox", checked: true, dataset: { control: "advance" } });
    parts.said = make("p", { className: "vk-hint", role: "status" });
    const undo = make("button", { type: "button", textContent: "Undo (z)", onclick: () => this.undo() });
    const card = make(
      "section", { className: "vk-card" },
      make("div", { className: "vk-line" }, ...parts.buttons, undo),
      make("div", { className: "vk-line" }, ...parts.tags),
      label("Note", parts.note),
      make("div", { className: "vk-line" },
        make("label", { className: "vk-toggle" }, parts.advance, make("span", { textContent: "go on after a verdict" }))),
    );
    if (this.host.reviewer === null || this.host.reviewer === undefined) card.append(this.buildFile(parts));
    card.append(parts.said);
    return card;
  }

  buildFile(parts) {
    parts.reviewer = make("input", { type: "text", placeholder: "your name", dataset: { control: "reviewer" } });
    parts.reviewer.addEventListener("input", () => {
      this.reviewer = parts.reviewer.value.trim();
      this.tell("");
      this.showVerdict();
    });
    const download = make("button", { type: "button", textContent: "Download verdicts", onclick: () => this.download() });
    parts.file = make("input", { type: "file", accept: ".jsonl", dataset: { control: "import" } });
    parts.file.addEventListener("change", () => this.take(parts.file.files[0]));
    return make("div", { className: "vk-line" }, label("Reviewer", parts.reviewer), download, label("Import", parts.file));
  }

  buildHelp(parts) {
    parts.help = make("div", { className: "vk-help", hidden: true, role: "dialog", ariaLabel: "Keys" });
    for (const [title, rows] of KEYS) {
      const list = make("dl", {});
      for (const [keys, , does] of rows) list.append(make("dt", { textContent: keys }), make("dd", { textContent: does }));
      parts.help.append(make("div", {}, make("h3", { textContent: title }), list));
    }
    parts.help.append(
      make("p", { textContent: "Wheel: zoom. Drag: move. Double click: fit. Esc closes this list and leaves a field." }),
    );
    return parts.help;
  }

  // -- keys and mouse -------------------------------------------------------------------------------------------------

  keyDown(event) {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === "Escape") {
      this.parts.help.hidden = true;
      this.root.focus({ preventScroll: true });
      return;
    }
    const typing = target.matches?.("select, input:not([type=range]):not([type=checkbox])");
    const sliding = target.matches?.("input[type=range]") && /^(Arrow|Home|End)/.test(key);
    const pressing = target.matches?.("button, input[type=checkbox]") && key === " ";
    const act = BY_KEY.get(key);
    if (typing || sliding || pressing || !act) return;
    event.preventDefault();
    event.stopPropagation();
    if (!(event.repeat && "afrz y".includes(key))) act(this, key);
  }

  listenToMouse(panel) {
    const { canvas } = panel;
    canvas.addEventListener("wheel", (event) => {
      if (!this.data) return;
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / 400), this.toFrame(panel, event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.root.focus({ preventScroll: true });
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.data) return;
      if (event.buttons & 1) {
        const zoom = this.zoomOf(panel);
        this.view.x -= event.movementX / zoom;
        this.view.y -= event.movementY / zoom;
      }
      this.cursor = this.toFrame(panel, event);
      this.showPixel();
      this.draw("view");
    });
    canvas.addEventListener("pointerleave", () => {
      this.cursor = null;
      this.draw("view");
    });
    canvas.addEventListener("dblclick", () => this.fit());
  }

  // Screen pixels to one pixel of the frame.
  zoomOf({ canvas }) {
    const { width, height } = this.data;
    return this.view.zoom ?? Math.min(canvas.clientWidth / width, canvas.clientHeight / height);
  }

  toFrame(panel, event) {
    const box = panel.canvas.getBoundingClientRect(), zoom = this.zoomOf(panel);
    return {
      x: (event.clientX - box.left - box.width / 2) / zoom + this.view.x,
      y: (event.clientY - box.top - box.height / 2) / zoom + this.view.y,
    };
  }

  fit() {
    if (!this.data) return;
    this.view = { zoom: null, x: this.data.width / 2, y: this.data.height / 2 };
    this.draw("view");
  }

  actualSize() {
    if (!this.data) return;
    this.view.zoom = 1 / (globalThis.devicePixelRatio || 1);
    this.draw("view");
  }

  // By a number of steps of 40 pixels of the screen.
  pan(x, y) {
    if (!this.data) return;
    const step = 40 / this.zoomOf(this.parts.panels[0]);
    this.view.x += x * step;
    this.view.y += y * step;
    this.draw("view");
  }

  zoomBy(factor, around = null) {
    if (!this.data) return;
    const before = this.zoomOf(this.parts.panels[0]);
    const zoom = Math.min(Math.max(before * factor, 0.1), 40);
    if (around) {
      this.view.x = around.x + ((this.view.x - around.x) * before) / zoom;
      this.view.y = around.y + ((this.view.y - around.y) * before) / zoom;
    }
    this.view.zoom = zoom;
    this.draw("view");
  }

  // -- the queue ------------------------------------------------------------------------------------------------------

  arrange() {
    const { parts } = this, here = this.case?.case_id;
    const [order, metric] = (parts.sort.value || "natural:").split(":");
    const lower = this.facts.metrics.find((one) => one.name === metric)?.lower_is_better;
    const given = this.given();
    const wanted = ["patient", "sequence", "status"].map((name) => [name, parts[`${name}Filter`].value]);
    const verdict = parts.verdictFilter.value;
    this.queue = arranged(this.cases, order, metric, lower, (one) =>
      wanted.every(([name, value]) => value === "" || one[name] === value) &&
      (verdict === "" || (given.get(one.case_id)?.verdict ?? "none") === verdict));
    // A new order starts at its front; a filter keeps the case at hand where it is left in.
    const sorted = this.sorted === parts.sort.value;
    this.sorted = parts.sort.value;
    const kept = sorted ? this.queue.findIndex((one) => one.case_id === here) : 0;
    return this.show(Math.max(kept, 0));
  }

  step(count) {
    return this.show(this.place + count);
  }

  nextOpen() {
    const given = this.given();
    const open = (one) => !given.has(one.case_id);
    const after = this.queue.findIndex((one, place) => place > this.place && open(one));
    const found = after >= 0 ? after : this.queue.findIndex(open);
    if (found < 0) this.tell("Every case in the queue has a verdict.");
    else this.show(found);
  }

  frames() {
    const { case: here } = this;
    if (!here || here.sequence === null) return [];
    return this.cases.filter((one) => one.sequence === here.sequence); // in order of time, as all cases stand
  }

  stepFrame(count) {
    const frames = this.frames();
    const place = frames.indexOf(this.case) + count;
    if (frames[place]) this.showFrame(place);
  }

  showFrame(place) {
    const one = this.frames()[place];
    let found = this.queue.indexOf(one);
    if (found < 0) {
      // The filter leaves this frame out: it is shown all the same, in a queue of everything.
      this.queue = this.cases;
      found = this.cases.indexOf(one);
    }
    return this.show(found);
  }

  async play() {
    const mine = (this.playing = this.playing ? null : {}); // stopped and started again, an earlier loop ends
    this.parts.playing.textContent = mine ? "■ Stop" : "▶ Play";
    while (mine && this.playing === mine) {
      const frames = this.frames();
      if (frames.length < 2 || !this.root.isConnected) break;
      await this.showFrame((frames.indexOf(this.case) + 1) % frames.length);
      await new Promise((done) => setTimeout(done, PLAY_MS));
    }
    if (this.playing !== mine) return;
    this.playing = null;
    this.parts.playing.textContent = "▶ Play";
  }

  async show(place) {
    this.place = Math.min(Math.max(place, 0), Math.max(this.queue.length - 1, 0));
    if (this.state.blind && this.case) this.useRun(this.firstBlind());
    this.recall();
    this.describe();
    const ticket = ++this.asked;
    if (!this.case) {
      this.clear("no case in the queue");
      return;
    }
    try {
      const data = await this.fetch(this.case.case_id);
      if (ticket !== this.asked) return;
      const same = this.data && this.data.width === data.width && this.data.height === data.height;
      this.data = data;
      if (!same || !this.view) this.view = { zoom: null, x: data.width / 2, y: data.height / 2 };
      this.takeOver();
      this.draw("all");
      for (const ahead of [1, -1]) {
        const next = this.queue[this.place + ahead];
        if (next) this.fetch(next.case_id).catch(() => {}); // told of when it is its turn
      }
    } catch (error) {
      if (ticket !== this.asked) return;
      this.clear(`this case cannot be shown: ${error.message}`);
    }
  }

  // Leaves nothing of the case before: no picture, score, status or pixel.
  clear(text) {
    const { parts } = this;
    this.data = this.cursor = null;
    for (const panel of parts.panels) {
      this.empty(panel, text);
      panel.legend.replaceChildren();
      panel.legend.dataset.key = "";
      panel.dice.textContent = "";
    }
    for (const one of [...Object.values(parts.scores), parts.status, parts.run, parts.pixel]) one.textContent = "–";
    parts.status.title = "";
    parts.warning.hidden = true;
  }

  // What was said of the case before stands ready to be changed.
  recall() {
    const before = this.case && this.given().get(this.case.case_id);
    this.reasons = new Set(before?.reasons);
    this.parts.note.value = before?.note ?? "";
  }

  // Which run is A: the same whenever the case is shown, and nothing that a reviewer could guess.
  firstBlind() {
    let hash = 0;
    for (const character of this.facts.run + this.case.case_id) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0;
    return (hash ^ (hash >>> 13)) & 1;
  }

  // A few cases are kept decoded, so that the memory stays flat however many are paged through.
  fetch(caseId) {
    const known = this.cache.get(caseId) ?? this.host.load(caseId).then(decoded);
    this.cache.delete(caseId);
    this.cache.set(caseId, known);
    known.catch(() => this.cache.delete(caseId));
    while (this.cache.size > 6) this.cache.delete(this.cache.keys().next().value);
    return known;
  }

  describe() {
    const { parts, case: here, queue } = this;
    parts.id.textContent = here ? here.case_id : "no case";
    parts.trained.hidden = here?.training !== "training";
    const facts = here ? [["patient", here.patient], ["sequence", here.sequence], ["frame", here.frame]] : [];
    parts.facts.textContent = facts.filter(([, value]) => value !== null).map((pair) => pair.join(" ")).join(" · ");
    parts.number.textContent = `${queue.length ? this.place + 1 : 0} / ${queue.length}`;
    Object.assign(parts.slider, { max: Math.max(queue.length, 1), value: this.place + 1 });
    const frames = this.frames();
    parts.frames.hidden = frames.length < 2;
    if (frames.length > 1) {
      Object.assign(parts.frame, { max: frames.length, value: frames.indexOf(here) + 1 });
      parts.frameNumber.textContent = `${frames.indexOf(here) + 1} / ${frames.length}`;
    }
    this.showVerdict();
  }

  // -- settings -------------------------------------------------------------------------------------------------------

  set(name, value) {
    const [, min, max] = SLIDERS[name];
    this.state[name] = Math.min(Math.max(value, min), max);
    this.draw(name === "divide" ? "view" : name === "threshold" ? "mask" : "all");
  }

  nudge(name, steps) {
    const step = SLIDERS[name][3];
    const value = Math.round((this.state[name] + steps * step) / step) * step;
    this.set(name, Number(value.toFixed(3))); // what the slider itself would give: 70 * 0.005 is not 0.35
  }

  toggle(name) {
    this.state[name] = !this.state[name];
    if (name === "blind") this.showRun(this.state.blind && this.case ? this.firstBlind() : 0);
    this.draw("all");
  }

  blindly() {
    if (this.facts.runs.length < 2) this.tell("Blind A/B takes two runs: this review has one.");
    else this.toggle("blind");
  }

  reset() {
    Object.assign(this.state, DEFAULTS, { threshold: this.subject.threshold, blind: this.state.blind });
    this.draw("all");
  }

  hide(hidden) {
    this.hidden = hidden;
    this.draw("all");
  }

  help() {
    this.parts.help.hidden = !this.parts.help.hidden;
  }

  otherRun() {
    if (this.facts.runs.length < 2) this.tell("This review has one run: there is no other to show.");
    else this.showRun((this.run + 1) % this.facts.runs.length);
  }

  // Who looks at a run's own mask sees the other one's own mask too.
  useRun(run) {
    const { own } = this;
    this.run = run;
    if (own) this.state.threshold = this.subject.threshold;
  }

  showRun(run) {
    this.useRun(run);
    this.recall();
    this.showVerdict();
    if (!this.data) return;
    this.takeOver();
    this.draw("all");
  }

  // -- drawing --------------------------------------------------------------------------------------------------------

  // What changes with the case or the run, but not with a slider.
  takeOver() {
    const { data, parts, prediction } = this;
    const count = data.width * data.height;
    this.buffers = parts.panels.map((panel) => {
      Object.assign(panel.source, { width: data.width, height: data.height });
      const image = new ImageData(data.width, data.height);
      return { image, pixels: new Uint32Array(image.data.buffer) };
    });
    this.mask = new Uint8Array(count);
    this.masksBeside = this.beside.map(() => new Uint8Array(count));
    this.distances = {};
    parts.panels.forEach(({ figure }) => figure.style.setProperty("--vk-ratio", `${data.width} / ${data.height}`));
    const letter = this.case && this.run === this.firstBlind() ? "A" : "B";
    // Blind, words that only one of the runs was asked would tell which it is.
    const sameWords = this.facts.runs.every((one) => one.prompt_text === this.subject.prompt_text);
    const words = this.state.blind && !sameWords ? "" : ` · ${this.subject.prompt_text}`;
    parts.run.textContent = `${this.state.blind ? letter : this.subject.name}${words}`;
    parts.status.textContent = prediction.status;
    parts.status.classList.toggle("vk-warning", prediction.status !== "ok");
    parts.status.title = prediction.words ?? "";
    // Two empty masks are alike without having anything to do with each other.
    const both = prediction.stored && data.truth?.some((value) => value);
    const same = both && prediction.stored.every((value, i) => value === data.truth[i]);
    parts.warning.hidden = !same;
    parts.warning.textContent = same ? "identical to the ground truth: check its origin" : "";
    parts.sliders.threshold.disabled = !prediction.full;
    this.showPixel();
  }

  // One drawing a frame of the screen, however many events there are. What: view < mask < all; with `mask` the original
  // and the truth keep their pictures.
  draw(what) {
    const rank = ["view", "mask", "all"];
    const waiting = this.wanted !== undefined;
    this.wanted = rank[Math.max(rank.indexOf(what), rank.indexOf(this.wanted))];
    if (waiting) return;
    requestAnimationFrame(() => {
      const wanted = this.wanted;
      this.wanted = undefined;
      if (!this.data) return;
      const start = performance.now();
      if (wanted !== "view") this.compose(wanted === "all");
      this.blit(wanted === "mask" ? 2 : 0);
      const detail = { milliseconds: performance.now() - start, what: wanted, case_id: this.data.case_id };
      this.root.dispatchEvent(new CustomEvent("vesselkit:drawn", { detail }));
    });
  }

  compose(all) {
    const { data, state, prediction, parts, mask } = this;
    const { grey, truth } = data;
    const palette = this.facts.palettes[state.palette ? 1 : 0];
    const { own } = this, there = prediction.stored !== null;
    // At the run's own threshold the stored mask is shown, which is what was scored.
    if (there && own) mask.set(prediction.stored);
    else if (there) maskAt(prediction.full, state.threshold, mask);

    const opacity = this.hidden ? 0 : state.contour ? 1 : state.opacity;
    const tables = {
      plain: lookup(state, [], 0),
      truth: lookup(state, [palette.truth], opacity),
      prediction: lookup(state, [palette.prediction], opacity),
      // Without truth nothing is false, without a prediction nothing is missed.
      overlay: lookup(
        state,
        [truth ? palette.false : palette.prediction, there ? palette.missed : palette.truth, palette.both,
          this.hidden ? palette.both : MISS],
        state.map && !this.hidden ? 1 : opacity,
        state.map && !this.hidden,
      ),
    };
    if (all) this.shownTruth = truth && this.lined("truth", truth, "");
    const { shownTruth } = this, shownMask = there ? this.lined("mask", mask, own ? "own" : state.threshold) : null;
    const missed = state.centreline && data.centreline && there ? this.missed() : null;
    if (all) {
      this.paint(0, grey, null, tables.plain);
      this.paint(1, grey, shownTruth, tables.truth);
    }
    this.paint(2, grey, shownMask, tables.prediction);
    this.paintOverlay(grey, shownTruth, shownMask, missed, tables.overlay);
    this.composeBeside(own, tables.prediction);

    const noTruth = data.truth_note ?? "", noMask = `no prediction: ${prediction.status}`;
    const noFrame = data.image === null ? "the frame cannot be read" : "";
    this.note(0, noFrame);
    this.note(1, truth ? "" : noTruth);
    this.note(2, there ? "" : [noMask, prediction.words].filter(Boolean).join("\n"));
    this.note(3, truth || there ? "" : `${noTruth}\n${noMask}`);
    this.showScores(there);
    this.showLegend(palette, there);
    this.showControls(own, there);
  }

  // The runs beside, each at its own threshold as long as the one that is judged is at its own.
  composeBeside(own, table) {
    const { data, state, parts } = this;
    this.beside.forEach((run, index) => {
      const place = PANELS.length + index, panel = parts.panels[place], mask = this.masksBeside[index];
      const one = data.predictions[this.facts.runs.length + index];
      const there = one.stored !== null;
      if (there && (own || one.full === null)) mask.set(one.stored);
      else if (there) maskAt(one.full, state.threshold, mask);
      const made = own ? "own" : state.threshold;
      this.paint(place, data.grey, there ? this.lined(`beside ${index}`, mask, made) : null, table);
      this.note(place, there ? "" : [`no prediction: ${one.status}`, one.words].filter(Boolean).join("\n"));
      panel.dice.textContent = there && data.truth ? written(scoresOf(countsOf(data.truth, mask)).dice) : "–";
      // Blind, nothing is on the screen that has a name.
      panel.figure.hidden = state.blind;
    });
  }

  // A mask, or its outline. How far pixels are from it is kept for the next width, under what else made the mask.
  lined(name, mask, made) {
    if (!this.state.contour) return mask;
    const kept = this.distances[name];
    const { width, height } = this.data;
    if (kept?.made !== made) this.distances[name] = { made, steps: distancesTo(mask, width, height) };
    return outlineOf(this.distances[name].steps, this.state.width);
  }

  // The truth's centreline where the mask does not cover it, thick enough to be seen.
  missed() {
    const { width, height, centreline } = this.data;
    const found = new Uint8Array(centreline.length);
    for (let i = 0; i < found.length; i++) found[i] = centreline[i] & (this.mask[i] ^ 1);
    return distancesTo(found, width, height).map((steps) => (steps <= 1 ? 1 : 0));
  }

  paint(place, grey, classes, table) {
    const { pixels } = this.buffers[place];
    if (classes === null) for (let i = 0; i < pixels.length; i++) pixels[i] = table[grey[i]];
    else for (let i = 0; i < pixels.length; i++) pixels[i] = table[(classes[i] << 8) | grey[i]];
    this.upload(place);
  }

  paintOverlay(grey, truth, mask, missed, table) {
    const { pixels } = this.buffers[3];
    const nothing = this.nothing?.length === pixels.length ? this.nothing : (this.nothing = new Uint8Array(pixels.length));
    const [t, m] = [truth ?? nothing, mask ?? nothing];
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[((m[i] | (t[i] << 1)) << 8) | grey[i]];
    if (missed) for (let i = 0; i < pixels.length; i++) if (missed[i]) pixels[i] = table[1024 | grey[i]];
    this.upload(3);
  }

  upload(place) {
    this.parts.panels[place].source.getContext("2d").putImageData(this.buffers[place].image, 0, 0);
  }

  blit(from) {
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    this.parts.panels.forEach((panel, place) => {
      if (place < from) return;
      const { canvas } = panel;
      const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
      if (!width || !height) return;
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const context = canvas.getContext("2d", { alpha: false });
      const zoom = this.zoomOf(panel) * ratio;
      const left = Math.round(width / 2 - this.view.x * zoom), top = Math.round(height / 2 - this.view.y * zoom);
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = "#121212";
      context.fillRect(0, 0, width, height);
      context.setTransform(zoom, 0, 0, zoom, left, top);
      context.imageSmoothingEnabled = zoom < 1;
      if (place === 3 && this.state.swipe) this.swipe(context);
      else context.drawImage(panel.source, 0, 0);
      if (this.cursor) this.cross(context, zoom);
      if (this.facts.stamp) this.stamp(context, width, height, ratio);
    });
  }

  // What is no result says so in the picture too, which can be copied out of the page.
  stamp(context, width, height, ratio) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.font = `${Math.round(11 * ratio)}px system-ui, sans-serif`;
    const room = 4 * ratio, wide = Math.min(context.measureText(this.facts.stamp).width, width - 2 * room);
    context.fillStyle = "#121212cc";
    context.fillRect(width - wide - 2 * room, height - 18 * ratio, wide + 2 * room, 18 * ratio);
    context.fillStyle = "#e6b422";
    context.fillText(this.facts.stamp, width - wide - room, height - 5.5 * ratio, wide);
  }

  // Left of the line the ground truth's picture, right of it the prediction's.
  swipe(context) {
    const { width, height } = this.data, [, truth, prediction] = this.parts.panels;
    const at = Math.round(this.state.divide * width);
    if (at > 0) context.drawImage(truth.source, 0, 0, at, height, 0, 0, at, height);
    if (at < width) context.drawImage(prediction.source, at, 0, width - at, height, at, 0, width - at, height);
    context.fillStyle = "#ffffff";
    context.fillRect(at - 0.5, 0, 1, height);
  }

  cross(context, zoom) {
    const { x, y } = this.cursor, arm = 9 / zoom, thin = 1 / zoom;
    context.fillStyle = "#ffffffcc";
    context.fillRect(x - arm, y - thin / 2, 2 * arm, thin);
    context.fillRect(x - thin / 2, y - arm, thin, 2 * arm);
  }

  empty(panel, text) {
    const context = panel.canvas.getContext("2d", { alpha: false });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#121212";
    context.fillRect(0, 0, panel.canvas.width, panel.canvas.height);
    panel.note.textContent = text;
    panel.note.hidden = false;
  }

  note(place, text) {
    const { note, source } = this.parts.panels[place];
    note.hidden = text === "";
    note.textContent = text;
    // A panel that says why it is empty holds no picture: nothing in it can be taken for a mask.
    if (text !== "") source.getContext("2d").clearRect(0, 0, source.width, source.height);
  }

  showScores(there) {
    const { parts, data, mask } = this;
    const known = there && data.truth;
    const scores = known ? scoresOf(countsOf(data.truth, mask)) : {};
    for (const name of HEADLINE) parts.scores[name].textContent = written(scores[name]);
    parts.panels[2].dice.textContent = written(scores.dice);
    let found = 0, all = 0;
    if (known && data.centreline) {
      for (let i = 0; i < mask.length; i++) if (data.centreline[i]) all++, (found += mask[i]);
    }
    parts.scores.centreline.textContent = written(all ? found / all : null);
  }

  showLegend(palette, there) {
    const { data, state, parts } = this;
    const entries = [
      [],
      data.truth ? [["truth", palette.truth]] : [],
      there ? [["prediction", palette.prediction]] : [],
      data.truth && there ? [["missed", palette.missed], ["false", palette.false], ["both", palette.both]] : [],
      ...this.beside.map(() => []),
    ];
    if (data.truth && there && state.centreline) entries[3].push(["centreline missed", MISS]);
    if (state.swipe) entries[3] = [["left: truth", palette.truth], ["right: prediction", palette.prediction]];
    parts.panels.forEach(({ legend }, place) => {
      const key = JSON.stringify(entries[place]);
      if (legend.dataset.key === key) return;
      legend.dataset.key = key;
      legend.replaceChildren(
        ...entries[place].map(([text, colour]) => {
          const patch = make("i", {});
          patch.style.background = `rgb(${colour.map(Math.round).join(",")})`;
          return make("span", {}, patch, make("span", { textContent: text }));
        }),
      );
    });
  }

  showControls(own, there) {
    const { parts, state } = this;
    for (const [name, input] of Object.entries(parts.sliders)) {
      input.value = state[name];
      const digits = { threshold: 3, opacity: 2, divide: 2 }[name] ?? 0;
      parts.values[name].textContent = state[name].toFixed(digits);
    }
    for (const [name, input] of Object.entries(parts.toggles)) input.checked = state[name];
    parts.sliders.width.disabled = !state.contour;
    parts.sliders.divide.disabled = !state.swipe;
    parts.sliders.opacity.disabled = state.contour;
    const at = state.blind ? "" : ` ${written(this.subject.threshold)}`;
    if (state.blind && own) {
      // The place of the slider could tell which run this is.
      parts.sliders.threshold.value = 0.5;
      parts.values.threshold.textContent = "own";
    }
    parts.atThreshold.textContent = !there ? "" : own
      ? `the run's own mask, at its threshold${at}`
      : `not the run's mask, which has its own threshold${at} (t goes back)`;
    parts.atThreshold.classList.toggle("vk-warns", !own);
  }

  showPixel() {
    const { data, cursor, prediction, parts } = this;
    if (!cursor) return;
    const x = Math.floor(cursor.x), y = Math.floor(cursor.y);
    if (x < 0 || y < 0 || x >= data.width || y >= data.height) {
      parts.pixel.textContent = "outside the frame";
      return;
    }
    const i = y * data.width + x, texts = [`x ${x}`, `y ${y}`];
    if (data.image !== null) texts.push(`grey ${data.grey[i]}`);
    if (prediction.full) texts.push(`probability ${(1 / (1 + Math.exp(-prediction.full[i]))).toFixed(3)}`);
    if (data.truth) texts.push(data.truth[i] ? "vessel in the truth" : "background in the truth");
    parts.pixel.textContent = texts.join("   ");
  }

  // -- verdicts -------------------------------------------------------------------------------------------------------

  showVerdict() {
    const { parts, case: here } = this;
    const given = this.given();
    const mine = here ? given.get(here.case_id) : undefined;
    parts.given.hidden = !mine;
    parts.given.className = `vk-chip vk-${mine?.verdict ?? "open"}`;
    parts.given.textContent = mine ? [mine.verdict, ...mine.reasons].join(" · ") : "";
    parts.given.title = mine?.note ?? "";
    // Blind, a case counts once both have a verdict: their numbers apart would tell which is which.
    const ids = new Set(this.cases.map((one) => one.case_id));
    const wanted = this.state.blind ? this.facts.runs.map((_, place) => this.given(place)) : [given];
    const counted = [...given.values()].filter((one) => ids.has(one.case_id) && wanted.every((all) => all.has(one.case_id)));
    const rejected = counted.filter((one) => one.verdict === "reject").length;
    const of = this.state.blind ? "" : `, ${rejected} rejected`;
    const whose = this.host.reviewer ? `${this.host.reviewer}: ` : "";
    parts.progress.textContent = `${whose}${counted.length} of ${this.cases.length} reviewed${of}`;
    parts.bar.value = this.cases.length ? counted.length / this.cases.length : 0;
    parts.tags.forEach((tag, place) => {
      tag.ariaPressed = String(this.reasons.has(this.facts.reasons[place]));
    });
    parts.buttons.forEach((button) => button.classList.toggle("vk-chosen", button.dataset.verdict === mine?.verdict));
  }

  tag(place) {
    const reason = this.facts.reasons[place];
    if (reason === undefined) return;
    if (!this.reasons.delete(reason)) this.reasons.add(reason);
    this.showVerdict();
  }

  async give(verdict) {
    if (!this.case) return;
    if (this.data?.case_id !== this.case.case_id) {
      this.tell("NOT kept: this case is not on the screen yet.");
      return;
    }
    const advance = this.parts.advance.checked;
    const kept = await this.keep({
      case_id: this.case.case_id,
      verdict,
      reasons: this.facts.reasons.filter((reason) => this.reasons.has(reason)),
      note: this.parts.note.value,
      threshold: this.prediction.stored ? this.state.threshold : null,
      withdraws: null,
    });
    if (!kept) return;
    this.tell(`${kept.case_id}: ${verdict}`);
    if (!advance || this.case?.case_id !== kept.case_id) return;
    const other = this.facts.runs.findIndex((_, place) => !this.isOn(kept, place));
    if (this.state.blind && other >= 0 && !this.given(other).has(kept.case_id)) this.otherRun();
    else if (this.place < this.queue.length - 1) this.step(1);
    else this.tell(`${kept.case_id}: ${verdict}. ${this.leftOver()}`);
  }

  // What a reviewer at the end of the queue is to do next.
  leftOver() {
    const given = this.given(), open = this.queue.filter((one) => !given.has(one.case_id)).length;
    if (open) return `This was the last case of the queue; ${open} before it have no verdict (u goes to the next one).`;
    return "Every case of the queue has a verdict, and all are kept: you are done.";
  }

  async undo() {
    const all = this.facts.runs.flatMap((_, place) => [...this.given(place).values()]);
    const last = all.sort((a, b) => momentOf(a.time) - momentOf(b.time)).pop();
    if (!last) {
      this.tell("There is no verdict to take back.");
      return;
    }
    const kept = await this.keep({
      run: last.run, case_id: last.case_id, verdict: null, reasons: [], note: "", threshold: null, withdraws: last.id,
      prediction: last.prediction ?? null,
    });
    if (!kept) return;
    const place = this.queue.findIndex((one) => one.case_id === last.case_id);
    if (place >= 0 && place !== this.place) await this.show(place);
    if (place >= 0 && !this.isOn(last, this.run)) this.otherRun();
    this.tell(`${last.case_id}: ${last.verdict} was taken back`);
  }

  async keep(values) {
    if (!NAME.test(this.reviewer)) {
      this.tell("Your name first, as Reviewer: letters, digits, '.', '_', '+', '-'.");
      this.parts.reviewer?.focus();
      return null;
    }
    const record = {
      schema: "vesselkit.verdict", schema_version: 1, id: newId(),
      time: timeAfter(recordsOf(this.records, this.reviewer)),
      reviewer: this.reviewer, run: this.subject.run, prompt: this.facts.prompt,
      prediction: this.predictions.get(values.case_id)?.[this.run] ?? null, ...values,
    };
    // Until the viewer has gone on, a second key would be meant for a case that is not there yet.
    if (this.keeping) {
      this.tell("The verdict before is still being kept: wait for it, then say it again.");
      return null;
    }
    this.keeping = true;
    try {
      await this.host.save(record);
    } catch (error) {
      this.tell(`NOT kept: ${error.message}`);
      return null;
    } finally {
      this.keeping = false;
    }
    this.records.push(record);
    this.showVerdict();
    return record;
  }

  tell(text) {
    this.parts.said.textContent = text;
  }

  download() {
    const mine = this.records.filter((one) => this.isOurs(one));
    const text = mine.map((one) => `${JSON.stringify(one)}\n`).join("");
    const url = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
    make("a", { href: url, download: `verdicts-${this.reviewer || "all"}.jsonl` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    this.tell(`${mine.length} records written to your downloads`);
  }

  isOurs(record) {
    return record.prompt === this.facts.prompt && this.facts.runs.some((_, place) => this.isOn(record, place));
  }

  // Whether a parsed line is a record of this review, by the rules of `VerdictRecord.from_json`.
  fits(one) {
    const texts = ["id", "time", "reviewer", "run", "case_id", "note"];
    const { verdict, threshold = null, withdraws = null, prediction = null } = one;
    return one.schema === "vesselkit.verdict" && one.schema_version === 1 && this.isOurs(one) &&
      texts.every((name) => typeof one[name] === "string") && (prediction === null || typeof prediction === "string") &&
      NAME.test(one.reviewer) && !Number.isNaN(momentOf(one.time)) &&
      Array.isArray(one.reasons) && one.reasons.every((reason) => this.facts.reasons.includes(reason)) &&
      (threshold === null || (typeof threshold === "number" && threshold >= 0 && threshold <= 1)) &&
      (verdict === null ? typeof withdraws === "string" : VERDICTS.includes(verdict) && withdraws === null);
  }

  async take(file) {
    if (!file) return;
    const known = new Set(this.records.map((one) => one.id));
    let [taken, others] = [0, 0];
    for (const line of (await file.text()).split("\n")) {
      if (!line.trim()) continue;
      try {
        const one = JSON.parse(line);
        if (!this.fits(one)) others++;
        else if (!known.has(one.id)) {
          known.add(one.id);
          await this.host.save(one);
          this.records.push(one);
          taken++;
        }
      } catch {
        others++;
      }
    }
    this.parts.file.value = "";
    this.showVerdict();
    this.tell(`${taken} records taken over, ${others} lines passed over`);
  }

  close() {
    this.playing = null;
    this.stop.abort();
    this.watch.disconnect();
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Hosts: a notebook's kernel, and a page on the disk.

export default {
  render({ model, el }) {
    const waiting = new Map();
    let last = 0;
    const ask = (kind, values) =>
      new Promise((done, failed) => {
        const ticket = ++last;
        waiting.set(ticket, { done, failed });
        model.send({ ticket, kind, ...values });
        setTimeout(() => {
          if (waiting.delete(ticket)) failed(new Error("the kernel does not answer. Is it busy, or was it restarted?"));
        }, PATIENCE_MS);
      });
    const answered = ({ ticket, error, ...values }) => {
      const found = waiting.get(ticket);
      if (!found) return;
      waiting.delete(ticket);
      if (error) found.failed(new Error(error));
      else found.done(values);
    };
    model.on("msg:custom", answered);
    const root = document.createElement("div");
    el.append(root);
    const viewer = new Viewer(root, model.get("facts"), {
      reviewer: model.get("reviewer"),
      load: async (caseId) => (await ask("load", { case_id: caseId })).payload,
      save: (record) => ask("save", { record }),
    });
    // Where nothing else has the keys, as on a page of Voila's, they need no click first.
    const shown = new ResizeObserver(() => {
      if (root.offsetWidth === 0) return;
      shown.disconnect();
      if (document.activeElement === document.body) root.focus({ preventScroll: true });
    });
    shown.observe(root);
    return () => {
      shown.disconnect();
      model.off("msg:custom", answered);
      viewer.close();
    };
  },
};

// The page: every case lies in a script of JSON, or in a page of its own.
export function openPage(root) {
  const facts = JSON.parse(document.getElementById("vesselkit-facts").textContent);
  const place = new Map(facts.cases.map((one, index) => [one.case_id, index]));
  // The shelf outlives a run that was predicted again in part. Earlier versions had one for each state of the run.
  const shelf = `vesselkit-review-${facts.config}-${facts.prompt}`;
  const before = shelved(`vesselkit-review-${facts.run}-${facts.prompt}`);
  const known = new Set(facts.verdicts.map((one) => one.id));
  facts.verdicts = [...facts.verdicts, ...[...before, ...shelved(shelf)].filter((one) => !known.has(one.id))];
  const viewer = new Viewer(root, facts, {
    reviewer: null,
    keysFrom: document,
    load: (caseId) => (facts.folder === null ? inPage(place.get(caseId)) : inFolder(facts.folder, place.get(caseId))),
    save: async (record) => {
      try {
        localStorage.setItem(shelf, JSON.stringify([...shelved(shelf), record]));
      } catch {
        // A browser may refuse; the verdicts then live until the page is closed, which the reader is warned of.
        addEventListener("beforeunload", warned);
      }
    },
  });
  root.focus({ preventScroll: true });
  return viewer;
}

function warned(event) {
  event.preventDefault();
}

function shelved(shelf) {
  try {
    return JSON.parse(localStorage.getItem(shelf) ?? "[]");
  } catch {
    return [];
  }
}

async function inPage(place) {
  return JSON.parse(document.getElementById(`vesselkit-case-${place}`).textContent);
}

// A page of its own hands its case over and goes: scripts would stay in the memory for as long as the review is open.
function inFolder(folder, place) {
  return new Promise((done, failed) => {
    const frame = make("iframe", { src: `${folder}/${place}.html`, hidden: true, title: "a case" });
    const waited = new AbortController();
    const end = () => {
      waited.abort();
      frame.remove();
    };
    const heard = (event) => {
      if (event.source !== frame.contentWindow) return;
      end();
      done(JSON.parse(event.data));
    };
    addEventListener("message", heard, { signal: waited.signal });
    const missing = () => {
      if (waited.signal.aborted) return;
      end();
      failed(new Error(`its file in the folder ${folder} is missing. Copy it back`));
    };
    // What a page says to another arrives after it is loaded, but soon; one that is not there says nothing.
    frame.addEventListener("load", () => setTimeout(missing, 3000), { signal: waited.signal });
    frame.sandbox = "allow-scripts";
    document.body.append(frame);
  });
}
