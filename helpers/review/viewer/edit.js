// A case that is being corrected: its mask now, what it began with, and what was done to it.

import { worked } from "./corrections.js";
import { boundsOf, flip } from "./mask_edit.js";
import { Strokes } from "./strokes.js";

// What a correction of a case can begin from: a reader's own correction, then a carried mask, prediction, ground truth and nothing.
// `own`: the record that stands with its mask, or null. Each has its `name`, `base`, `mask` and `before`, the record.
export function beginningsOf(data, own) {
  const masks = {
    prediction: data.predictions[0].stored, truth: data.truth, empty: new Uint8Array(data.width * data.height),
    carried: data.carried,
  };
  const found = Object.entries(data.bases)
    .filter(([name]) => masks[name])
    .map(([name, base]) => ({ name, base, mask: masks[name], before: null }));
  if (own === null || found.length === 0) return found;
  return [{ name: "correction", base: own.record.base, mask: own.mask, before: own.record }, ...found];
}

export class Edit {
  constructor(data, beginning) {
    const { case_id: caseId, width, height } = data;
    Object.assign(this, { caseId, width, height, open: true, truthShown: false, spent: 0, last: null, knew: [] });
    this.begin(beginning);
  }

  // `knew`: ids of the records of the case that the reviewer could see. `drawnBy`: whose work it is; null for nobody's
  // yet.
  begin(beginning) {
    Object.assign(this, { beginning, mask: beginning.mask.slice(), strokes: new Strokes(), kept: false });
    this.drawnBy = beginning.before?.reviewer ?? null;
  }

  // Whether a reviewer may go on with it.
  isOf(reviewer) {
    return this.drawnBy === null || this.drawnBy === reviewer;
  }

  // Whether the mask that it began from is another one now. What was kept says so itself.
  isStale(data) {
    const { base, before } = this.beginning;
    if (this.kept || before !== null || base.began_from === "empty") return false;
    return data.bases[base.began_from]?.mask_sha256 !== base.mask_sha256;
  }

  // The mask was kept as a stroke had left it.
  keep(stroke) {
    this.kept = true;
    this.strokes.kept = stroke;
  }

  // Something was done at a moment, in milliseconds; pauses count in part.
  touch(now) {
    if (this.last !== null) this.spent += worked(now - this.last);
    this.last = now;
  }

  // The case leaves the screen.
  rest(now) {
    this.touch(now);
    this.last = null;
  }

  // Undoes or does again one stroke; the rectangle that changed, null where nothing is left to do.
  turn(back) {
    const runs = back ? this.strokes.undo() : this.strokes.redo();
    if (runs === null) return null;
    flip(this.mask, runs);
    return boundsOf(runs, this.width);
  }
}
