// The pictures on the screen: one panel each, all at the same zoom and place.

import { button, make, put, written } from "./elements.js";
import { showEntries } from "./legend.js";
import { blacken, cross, stampOn, toolAt } from "./marks.js";
import { CORRECTION, MISS, PANELS } from "./pictures.js";
import { listen } from "./pointing.js";
import { heard, listed, say } from "./words.js";

const TRUTH = 1, OVERLAY = 3;
const NO_PIXEL = say("move over a picture to read its pixels");

export class Panels {
  constructor(viewer) {
    const titles = [...PANELS.map((one) => say(one)), ...viewer.beside.map(({ name }) => name), say(CORRECTION)];
    this.correction = titles.length - 1;
    Object.assign(this, { viewer, at: null, cursor: null, ratio: 1, off: new Set(), alone: null, last: OVERLAY });
    this.panels = titles.map((title, place) => this.build(title, place));
    this.pixel = make("output", { className: "vk-pixel", textContent: NO_PIXEL });
    this.root = make("section", { className: "vk-panels" }, ...this.panels.map((panel) => panel.figure));
    this.switches = this.panels.map((panel, place) =>
      button(String(place + 1), () => this.turn(place), {
        className: "vk-switch", ariaLabel: say("{panel}, on or off", { panel: titles[place] }),
        title: say("{panel}: on, off (Shift + {number})", { panel: titles[place], number: place + 1 }),
        dataset: { switch: String(place) },
      }),
    );
    this.tools = make(
      "div", { className: "vk-line vk-tools" },
      make("span", { className: "vk-word", textContent: say("Panels") }), ...this.switches,
      button(say("Fit"), () => this.fit(), { title: say("all of the frame") }),
      button("1:1", () => this.actualSize(), { title: say("one pixel to one") }),
      button("−", () => this.zoomBy(1 / 1.25), { ariaLabel: say("zoom out") }),
      button("+", () => this.zoomBy(1.25), { ariaLabel: say("zoom in") }),
    );
    this.arrange();
    this.watch = new ResizeObserver(() => viewer.data && viewer.draw("view"));
    this.panels.forEach((panel) => this.watch.observe(panel.canvas));
  }

  build(title, place) {
    const canvas = make("canvas", { role: "img", ariaLabel: title, dataset: { panel: String(place) } });
    const note = make("p", { className: "vk-note", hidden: true });
    const caption = make("figcaption", {}, make("b", { textContent: title, dataset: { number: `⇧${place + 1}` } }));
    const legend = make("span", { className: "vk-legend" });
    // Beside others the prediction has its Dice in sight as they have theirs.
    const dice = make("output", { dataset: { dice: String(place) }, title: "Dice" });
    const { beside } = this.viewer;
    caption.append(...(beside.length && (place === 2 || this.isBeside(place)) ? [dice] : []), legend);
    const figure = make("figure", {}, caption, make("div", { className: "vk-frame" }, canvas, note));
    const panel = { place, canvas, note, legend, dice, figure };
    listen(this, panel);
    return panel;
  }

  // -- which are shown ------------------------------------------------------------------------------------------------

  isBeside(place) {
    return place >= PANELS.length && place !== this.correction;
  }

  // Blind, no run is on the screen that has a name; who corrects a mask has the ground truth there on request alone.
  there(place) {
    const { editor, state } = this.viewer;
    if (place === this.correction) return editor.mask !== null;
    if (place === TRUTH || place === OVERLAY) return !editor.hidesTruth;
    return !this.isBeside(place) || !state.blind;
  }

  shown() {
    const on = this.panels.filter(({ place }) => this.there(place) && !this.off.has(place));
    const alone = on.find(({ place }) => place === this.alone);
    return alone ? [alone] : on;
  }

  // Whether no ground truth is to be on the screen, nor what is measured against it.
  get truthHidden() {
    return this.viewer.editor.hidesTruth || (this.off.has(TRUTH) && this.off.has(OVERLAY));
  }

  bringTruth() {
    this.off.delete(TRUTH);
    this.off.delete(OVERLAY);
  }

  turn(place) {
    if (place >= this.panels.length || !this.there(place)) return this.viewer.tell(say("There is no panel {number}.", { number: place + 1 }));
    if (this.alone !== null) {
      // One panel has all the room: another takes its place.
      this.off.delete(place);
      this.alone = place === this.alone ? null : place;
    } else if (!this.off.delete(place)) {
      if (this.shown().length === 1) return this.viewer.tell(say("One panel stays on."));
      this.off.add(place);
    }
    this.change();
  }

  // One panel over all the room, and back: the one under the mouse, else the last.
  enlarge(place = this.panels.find(({ figure }) => figure.matches(":hover"))?.place ?? this.last) {
    const [first] = this.shown();
    const found = this.shown().some((panel) => panel.place === place) ? place : first.place;
    this.alone = this.alone === null ? found : null;
    this.last = found;
    this.change();
  }

  // One panel over all the room, or with null as it was before.
  only(place) {
    if (place !== null && this.kept === undefined) this.kept = this.alone;
    this.alone = place ?? this.kept ?? null;
    if (place === null) this.kept = undefined;
  }

  change() {
    this.arrange();
    this.viewer.stage.fit();
    this.viewer.draw("all");
  }

  arrange() {
    const shown = this.shown();
    this.panels.forEach((panel, place) => {
      panel.figure.hidden = !shown.includes(panel);
      this.switches[place].hidden = !this.there(place);
      this.switches[place].ariaPressed = String(shown.includes(panel));
    });
  }

  // -- mouse and zoom -------------------------------------------------------------------------------------------------

  // Screen pixels to one pixel of the frame.
  zoomOf({ canvas }) {
    const { width, height } = this.viewer.data;
    return this.at.zoom ?? Math.min(canvas.clientWidth / width, canvas.clientHeight / height);
  }

  get zoom() {
    return this.zoomOf(this.shown()[0]);
  }

  toFrame(panel, event) {
    const box = panel.canvas.getBoundingClientRect(), zoom = this.zoomOf(panel);
    return {
      x: (event.clientX - box.left - box.width / 2) / zoom + this.at.x,
      y: (event.clientY - box.top - box.height / 2) / zoom + this.at.y,
    };
  }

  fit() {
    const { data } = this.viewer;
    if (!data) return;
    this.at = { zoom: null, x: data.width / 2, y: data.height / 2 };
    this.viewer.draw("view");
  }

  actualSize() {
    if (!this.viewer.data) return;
    this.at.zoom = 1 / (globalThis.devicePixelRatio || 1);
    this.viewer.draw("view");
  }

  // By a number of steps of 40 pixels of the screen.
  pan(x, y) {
    if (!this.viewer.data) return;
    const step = 40 / this.zoom;
    this.at.x += x * step;
    this.at.y += y * step;
    this.viewer.draw("view");
  }

  zoomBy(factor, around = null) {
    if (!this.viewer.data) return;
    const before = this.zoom;
    const zoom = Math.min(Math.max(before * factor, 0.1), 40);
    if (around) {
      this.at.x = around.x + ((this.at.x - around.x) * before) / zoom;
      this.at.y = around.y + ((this.at.y - around.y) * before) / zoom;
    }
    this.at.zoom = zoom;
    this.viewer.draw("view");
  }

  // Shares the room out anew where other panels are to be shown than for the case before.
  refit() {
    const shown = this.shown();
    if (this.panels.some((panel) => panel.figure.hidden === shown.includes(panel))) this.change();
  }

  // -- drawing --------------------------------------------------------------------------------------------------------

  // Frames of one size keep zoom and place, so that a sequence can be played at a vessel.
  take(data, before) {
    const same = before && before.width === data.width && before.height === data.height;
    if (!same || !this.at) this.at = { zoom: null, x: data.width / 2, y: data.height / 2 };
    if (this.ratio === data.width / data.height) return;
    this.ratio = data.width / data.height;
    this.viewer.stage.fit();
  }

  blit(from) {
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2), { stamp } = this.viewer.facts;
    this.panels.forEach((panel, place) => {
      if (place < from) return;
      const { canvas } = panel;
      const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
      if (!width || !height) return;
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const context = canvas.getContext("2d", { alpha: false });
      const zoom = this.zoomOf(panel) * ratio;
      const left = Math.round(width / 2 - this.at.x * zoom), top = Math.round(height / 2 - this.at.y * zoom);
      blacken(context);
      context.setTransform(zoom, 0, 0, zoom, left, top);
      context.imageSmoothingEnabled = zoom < 1;
      if (place === 3 && this.viewer.state.swipe) this.swipe(context);
      else context.drawImage(this.viewer.pictures.sources[place], 0, 0);
      const { edit, tools } = this.viewer.editor;
      if (this.cursor && place === this.correction && edit) toolAt(context, this.cursor, tools, zoom);
      else if (this.cursor) cross(context, this.cursor, zoom);
      if (stamp) stampOn(context, stamp, width, height, ratio);
    });
  }

  // Left of the line the ground truth's picture, right of it the prediction's.
  swipe(context) {
    const { data: { width, height }, state, pictures: { sources: [, truth, prediction] } } = this.viewer;
    const at = Math.round(state.divide * width);
    if (at > 0) context.drawImage(truth, 0, 0, at, height, 0, 0, at, height);
    if (at < width) context.drawImage(prediction, at, 0, width - at, height, at, 0, width - at, height);
    context.fillStyle = "#ffffff";
    context.fillRect(at - 0.5, 0, 1, height);
  }

  // -- what stands in and over the pictures ---------------------------------------------------------------------------

  // Leaves nothing of the case before.
  clear(text) {
    this.cursor = null;
    for (const { canvas, note, legend, dice } of this.panels) {
      blacken(canvas.getContext("2d", { alpha: false }));
      put(note, "textContent", text);
      note.hidden = false;
      legend.replaceChildren();
      legend.dataset.key = "";
      dice.textContent = "";
    }
    put(this.pixel, "textContent", "–");
  }

  note(place, text) {
    const { note } = this.panels[place];
    note.hidden = text === "";
    put(note, "textContent", text);
    if (text !== "") this.viewer.pictures.wipe(place);
  }

  // Why a panel is empty, for each that is; and the Dice of the prediction and of the runs beside.
  describe(prediction, beside, dice) {
    const { data, pictures } = this.viewer;
    const failed = (one) => say("no prediction: {status}", { status: heard(one.status) });
    const why = (one) => listed([failed(one), heard(one.words)].filter(Boolean), "\n");
    const none = (one) => (one.stored === null ? why(one) : "");
    const noTruth = data.truth ? "" : heard(data.truth_note ?? "");
    this.note(0, data.image === null ? say("the frame cannot be read") : "");
    this.note(1, noTruth);
    this.note(2, none(prediction));
    this.note(3, data.truth || prediction.stored ? "" : listed([noTruth, failed(prediction)], "\n"));
    this.note(this.correction, "");
    this.panels[2].dice.textContent = written(dice);
    beside.forEach((one, index) => {
      const place = PANELS.length + index, panel = this.panels[place];
      this.note(place, none(one));
      panel.dice.textContent = written(this.truthHidden ? null : pictures.diceBeside(index, one.stored !== null));
    });
  }

  showLegend(palette, there) {
    const { data, state, beside } = this.viewer;
    const entries = [
      [],
      data.truth ? [[say("truth"), palette.truth]] : [],
      there ? [[say("prediction"), palette.prediction]] : [],
      data.truth && there
        ? [[say("missed"), palette.missed], [say("false"), palette.false], [say("both"), palette.both]] : [],
      ...beside.map(() => []),
      this.viewer.editor.legend(palette),
    ];
    if (data.ignored) [1, 3].forEach((place) => entries[place].push([say("not scored"), palette.unscored]));
    if (data.truth && there && state.centreline) entries[3].push([say("centreline"), MISS]);
    if (state.swipe) entries[3] = [[say("left: truth"), palette.truth], [say("right: prediction"), palette.prediction]];
    this.panels.forEach(({ legend }, place) => showEntries(legend, entries[place]));
  }

  showPixel() {
    const { cursor, pixel } = this, { data, prediction } = this.viewer;
    if (!cursor) {
      put(pixel, "textContent", NO_PIXEL); // the last one may have told of another case, or of the truth
      return;
    }
    const x = Math.floor(cursor.x), y = Math.floor(cursor.y);
    if (x < 0 || y < 0 || x >= data.width || y >= data.height) {
      put(pixel, "textContent", say("outside the frame"));
      return;
    }
    const i = y * data.width + x, texts = [`x ${x}`, `y ${y}`];
    if (data.image !== null) texts.push(listed([say("grey"), data.grey[i]], " "));
    if (prediction.full) {
      texts.push(listed([say("probability"), (1 / (1 + Math.exp(-prediction.full[i]))).toFixed(3)], " "));
    }
    if (data.truth && !this.truthHidden) {
      const said = data.truth[i] ? say("vessel in the truth") : say("background in the truth");
      texts.push(data.ignored?.[i] ? say("not scored") : said);
    }
    put(pixel, "textContent", listed(texts, "   "));
  }

  close() {
    this.watch.disconnect();
  }
}
