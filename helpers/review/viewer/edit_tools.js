// The tools that a mask is corrected with, and what the pointer does with the one in hand.

import { Clicks } from "./clicks.js";
import { Runs, around, boundsOf, flip, nearestIn, othersThan, pieceAt, stamp } from "./mask_edit.js";
import { say } from "./words.js";

// Name in a record, and the value that it gives pixels; tools without one pick a piece, or ask the model with a label.
const TOOLS = {
  brush: { kept: "brush", value: 1 },
  eraser: { kept: "eraser", value: 0 },
  take: { kept: "threshold", value: 1 },
  remove: { kept: "piece", value: null },
  keep: { kept: "piece", value: null },
  point: { kept: "clicks", value: null, label: 1 },
  beside: { kept: "clicks", value: null, label: 0 },
};
const SIZES = { least: 1, most: 200 };
const LEVELS = { least: 0.005, most: 0.995, step: 0.01 };
const REACH = 8; // pixels of the screen that a click may miss a piece by

export class EditTools {
  constructor(editor) {
    const level = editor.viewer.facts.runs[0].threshold / 2;
    Object.assign(this, { editor, name: "brush", size: 5, level, stroke: null, dirty: null });
    this.clicks = new Clicks(editor);
  }

  // The brush's diameter in pixels of the frame; null for a tool without one.
  get brush() {
    return TOOLS[this.name].value === null ? null : this.size;
  }

  // Whether a tool asks the model.
  asks(name) {
    return TOOLS[name].label !== undefined;
  }

  choose(name) {
    const { viewer } = this.editor;
    if (name === "take" && viewer.data.drawn_first) {
      return viewer.tell(say("The prediction of this case is not shown yet: no lower threshold can be taken in."));
    }
    if (name === "take" && !viewer.prediction.full) {
      return viewer.tell(say("The run stored no logits of this case: no lower threshold can be taken in."));
    }
    if (this.asks(name)) {
      if (this.clicks.refusal) return viewer.tell(this.clicks.refusal);
      if (!this.asks(this.name)) this.clicks.ahead();
    }
    this.name = name;
    this.editor.card.show();
    viewer.draw("view");
  }

  resize(steps) {
    const step = this.size < 10 ? 1 : this.size < 40 ? 2 : 5;
    this.size = Math.min(Math.max(this.size + steps * step, SIZES.least), SIZES.most);
    this.editor.card.show();
    this.editor.viewer.draw("view");
  }

  // Of the threshold above which pixels are taken in.
  relevel(steps) {
    const level = Number((this.level + steps * LEVELS.step).toFixed(3));
    this.level = Math.min(Math.max(level, LEVELS.least), LEVELS.most);
    this.editor.card.show();
  }

  down(point) {
    const { viewer } = this.editor, { full } = viewer.prediction, { value, kept, label } = TOOLS[this.name];
    if (label !== undefined) return void (this.stroke = { label, from: point, last: point });
    if (value === null) return this.pick(point);
    if (this.name === "take" && !full) return this.choose("take"); // chosen at a case that has logits
    const cut = Math.fround(Math.log(this.level / (1 - this.level)));
    const among = this.name === "take" ? { values: full, cut } : null;
    this.stroke = { kept, value, among, runs: new Runs(), last: point };
    this.move([point]);
  }

  move(points) {
    const { viewer, edit: { mask, width, height } } = this.editor, { stroke } = this;
    if (stroke.from) stroke.last = points.at(-1);
    else for (const point of points) {
      const part = stamp(mask, width, height, stroke.last, point, this.size, stroke.value, stroke.runs, stroke.among);
      this.touched(part);
      stroke.last = point;
    }
    viewer.draw("view");
  }

  up() {
    const { stroke } = this;
    this.stroke = null;
    if (stroke?.from) this.clicks.ask(stroke.from, stroke.last, stroke.label);
    else if (stroke?.runs.length) this.editor.did(stroke.kept, stroke.runs.end());
  }

  // Removes the piece at a point, or all others.
  pick(point) {
    const { viewer, edit: { mask, width, height } } = this.editor;
    const place = nearestIn(mask, width, height, point, REACH / viewer.panels.zoom);
    if (place < 0) return viewer.tell(say("No piece of the mask is here."));
    const piece = pieceAt(mask, width, height, place);
    const runs = this.name === "remove" ? piece : othersThan(mask, width, piece);
    if (runs.length === 0) return viewer.tell(say("The mask has no other piece."));
    flip(mask, runs);
    this.touched(boundsOf(runs, width));
    this.editor.did(TOOLS[this.name].kept, runs);
  }

  // A rectangle of the frame is to be drawn again.
  touched(part) {
    if (part.left < part.right && part.top < part.bottom) this.dirty = around(this.dirty, part);
  }
}
