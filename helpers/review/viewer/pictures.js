// What the panels show of a case, composed in pixels of the frame, and the masks that this takes.

import { countsOf, distancesTo, lookup, maskAt, outlineOf, scoresOf, striped } from "./arithmetic.js";
import { cropped, widened } from "./mask_edit.js";

export const PANELS = ["Original", "Ground truth", "Prediction", "Overlay"];
export const MISS = [255, 0, 255];
export const CORRECTION = "Correction"; // the panel behind all others

export class Pictures {
  constructor(beside) {
    this.beside = beside;
    this.sources = [...PANELS, ...beside, CORRECTION].map(() => document.createElement("canvas"));
  }

  // What changes with the case or the run, but not with a slider.
  take(data) {
    const { width, height } = data, count = width * height;
    this.data = data;
    this.buffers = this.sources.map((source) => {
      Object.assign(source, { width, height });
      const image = new ImageData(width, height);
      return { image, pixels: new Uint32Array(image.data.buffer) };
    });
    this.mask = new Uint8Array(count);
    this.masksBeside = this.beside.map(() => new Uint8Array(count));
    this.nothing = new Uint8Array(count);
    this.stripes = data.ignored && striped(data.ignored, width, height);
    this.distances = {};
  }

  // `shown`: prediction (of the run that is judged), beside (of the others), own (whether each is at its own
  // threshold), state, palette, hidden (all colours). Unless `all`, the original and the truth keep their pictures.
  compose(shown, all) {
    const { prediction, beside, own, state, hidden } = shown, { data, mask } = this;
    const there = prediction.stored !== null;
    // At the run's own threshold the stored mask is shown, which is what was scored.
    if (there && own) mask.set(prediction.stored);
    else if (there) maskAt(prediction.full, state.threshold, mask);

    const tables = this.tables(shown, there);
    if (all) this.truth = data.truth && this.lined("truth", data.truth, "", state);
    const made = own ? "own" : state.threshold;
    const lined = there ? this.lined("mask", mask, made, state) : null;
    if (all) {
      this.paint(0, data.grey, null, tables.plain);
      this.paint(1, data.grey, this.truth, tables.truth);
      this.cover(1, this.truth, tables.unscored);
    }
    this.paint(2, data.grey, lined, tables.prediction);
    const missed = state.centreline && data.centreline && there && !hidden ? this.missed() : null;
    this.paintOverlay(lined, missed, tables.overlay);
    this.cover(3, this.nothing, tables.unscored);
    // The runs beside, each at its own threshold as long as the one that is judged is at its own.
    beside.forEach((one, index) => {
      const other = this.masksBeside[index];
      if (one.stored === null) this.paint(PANELS.length + index, data.grey, null, tables.prediction);
      else {
        if (own || one.full === null) other.set(one.stored);
        else maskAt(one.full, state.threshold, other);
        const outlined = this.lined(`beside ${index}`, other, made, state);
        this.paint(PANELS.length + index, data.grey, outlined, tables.prediction);
      }
    });
  }

  tables({ state, palette, hidden }, there) {
    const opacity = hidden ? 0 : state.contour ? 1 : state.opacity, { truth } = this.data;
    return {
      plain: lookup(state, [], 0),
      truth: lookup(state, [palette.truth], opacity),
      prediction: lookup(state, [palette.prediction], opacity),
      unscored: lookup(state, [palette.unscored], hidden ? 0 : 1, state.map && !hidden),
      // Without truth nothing is false, without a prediction nothing is missed.
      overlay: lookup(
        state,
        [truth ? palette.false : palette.prediction, there ? palette.missed : palette.truth, palette.both, MISS],
        state.map && !hidden ? 1 : opacity,
        state.map && !hidden,
      ),
    };
  }

  // A mask, or its outline. How far pixels are from it is kept for the next width, under what else made the mask.
  lined(name, mask, made, state) {
    if (!state.contour) return mask;
    const { width, height } = this.data;
    if (this.distances[name]?.made !== made) this.distances[name] = { made, steps: distancesTo(mask, width, height) };
    return outlineOf(this.distances[name].steps, state.width);
  }

  // The truth's centreline where the mask does not cover it, thick enough to be seen.
  missed() {
    const { width, height, centreline, ignored } = this.data;
    const found = new Uint8Array(centreline.length);
    for (let i = 0; i < found.length; i++) found[i] = ignored?.[i] ? 0 : centreline[i] & (this.mask[i] ^ 1);
    return distancesTo(found, width, height).map((steps) => (steps <= 1 ? 1 : 0));
  }

  // A corrected mask; with `part` only around that rectangle of the frame, where alone it has changed.
  correct(mask, colour, state, hidden, part) {
    const { width, height, grey } = this.data, place = this.sources.length - 1, line = state.contour ? state.width : 0;
    const table = lookup(state, [colour], hidden ? 0 : state.contour ? 1 : state.opacity);
    const whole = { left: 0, right: width, top: 0, bottom: height };
    const shown = part === null ? whole : widened(part, line, width, height);
    const read = widened(shown, line, width, height), wide = read.right - read.left; // as far as a line comes from
    let classes = cropped(mask, width, read);
    if (line) classes = outlineOf(distancesTo(classes, wide, read.bottom - read.top), line);
    const { pixels } = this.buffers[place];
    for (let row = shown.top; row < shown.bottom; row++) {
      const at = row * width, from = (row - read.top) * wide - read.left;
      for (let x = shown.left; x < shown.right; x++) pixels[at + x] = table[(classes[from + x] << 8) | grey[at + x]];
    }
    this.upload(place, shown);
  }

  paint(place, grey, classes, table) {
    const { pixels } = this.buffers[place];
    if (classes === null) for (let i = 0; i < pixels.length; i++) pixels[i] = table[grey[i]];
    else for (let i = 0; i < pixels.length; i++) pixels[i] = table[(classes[i] << 8) | grey[i]];
    this.upload(place);
  }

  paintOverlay(lined, missed, table) {
    const { pixels } = this.buffers[3], { grey } = this.data;
    const [t, m] = [this.truth ?? this.nothing, lined ?? this.nothing];
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[((m[i] | (t[i] << 1)) << 8) | grey[i]];
    if (missed) for (let i = 0; i < pixels.length; i++) if (missed[i]) pixels[i] = table[1024 | grey[i]];
    this.upload(3);
  }

  // Grey stripes where nothing is scored, and no other colour: nothing is missed or false there. `over` lies on them.
  cover(place, over, table) {
    const { pixels } = this.buffers[place], { grey, ignored } = this.data;
    if (!ignored) return;
    for (let i = 0; i < pixels.length; i++) if (ignored[i] && !over[i]) pixels[i] = table[(this.stripes[i] << 8) | grey[i]];
    this.upload(place);
  }

  upload(place, part = null) {
    const context = this.sources[place].getContext("2d"), { image } = this.buffers[place];
    if (part === null) context.putImageData(image, 0, 0);
    else context.putImageData(image, 0, 0, part.left, part.top, part.right - part.left, part.bottom - part.top);
  }

  // A panel that says why it is empty holds no picture: nothing in it can be taken for a mask.
  wipe(place) {
    const source = this.sources[place];
    source.getContext("2d").clearRect(0, 0, source.width, source.height);
  }

  // Dice, precision, recall and the share of the centreline that was found, of the mask that is shown.
  scores(there) {
    const { data, mask } = this;
    if (!there || !data.truth) return {};
    let found = 0, all = 0;
    const { truth, centreline, ignored } = data;
    if (centreline) {
      for (let i = 0; i < mask.length; i++) if (centreline[i] && !ignored?.[i]) all++, (found += mask[i]);
    }
    return { ...scoresOf(countsOf(truth, mask, ignored)), centreline: all ? found / all : null };
  }

  diceBeside(index, there) {
    const { truth, ignored } = this.data;
    return there && truth ? scoresOf(countsOf(truth, this.masksBeside[index], ignored)).dice : null;
  }
}
