// Clicks for the kernel's model: points on the vessel or beside it, and boxes. Its masks become strokes.

import { packedMask, unpackedMask } from "./arithmetic.js";
import { boundsOf, differing, flip, sameMask } from "./mask_edit.js";
import { listed, say } from "./words.js";

const DRAGGED = 6; // pixels of the screen: what is dragged less is a point

export class Clicks {
  constructor(editor) {
    Object.assign(this, { editor, busy: false });
  }

  // Why no model can be asked here; empty where one can.
  get refusal() {
    const { facts, host } = this.editor.viewer;
    if (!host.click) return say("Clicks for the model need its kernel: open notebook 04 with its folder as `model`.");
    if (facts.clicks) return "";
    return say("Clicks need a model: notebook 04 takes its folder as `model`, `vesselkit review` as `--model`.");
  }

  // What the last stroke was asked with: `points`, `box`, and the `masks` that came of it, of which `at` is shown.
  get last() {
    return this.editor.edit.strokes.done.at(-1)?.clicks ?? null;
  }

  // Has the frame read, so that the first click need not wait for it.
  ahead() {
    const { edit, viewer } = this.editor;
    viewer.host.click({ case_id: edit.caseId }).catch((error) => viewer.tell(error.message));
  }

  // Asks for the mask at a point, or in the box between two.
  async ask(from, to, label) {
    const { editor, editor: { edit, viewer } } = this;
    if (this.busy) return viewer.tell(say("The model is at the click before: give this one again in a moment."));
    const mask = edit.mask.slice(), asked = { points: this.last?.points ?? [], box: this.last?.box ?? null };
    if (label === 1 && Math.hypot(to.x - from.x, to.y - from.y) * viewer.panels.zoom >= DRAGGED) {
      asked.box = [Math.min, Math.max].flatMap((least) => [least(from.x, to.x) - 0.5, least(from.y, to.y) - 0.5]);
    } else {
      asked.points = [...asked.points, [to.x - 0.5, to.y - 0.5, label]]; // a pixel's number is its centre's
    }
    this.busy = true;
    viewer.tell(say("Asking the model …"));
    const answered = async (found) => {
      const masks = await Promise.all(found.masks.map((one) => unpackedMask(one, mask.length)));
      if (editor.edit === edit && sameMask(edit.mask, mask)) this.put(masks, 0, asked);
      else viewer.tell(say("The mask was changed while the model was asked: click again."));
    };
    try {
      await answered(await viewer.host.click({ case_id: edit.caseId, ...asked, mask: await packedMask(mask) }));
    } catch (error) {
      viewer.tell(error.message);
      error.late?.then((found) => this.busy || answered(found), (failure) => viewer.tell(failure.message));
    } finally {
      this.busy = false;
    }
  }

  // One of the masks takes the place of that in hand.
  put(masks, at, { points, box }) {
    const { editor, editor: { edit, tools, viewer } } = this, runs = differing(edit.mask, masks[at], edit.width);
    flip(edit.mask, runs);
    if (runs.length) tools.touched(boundsOf(runs, edit.width));
    editor.did("clicks", runs);
    edit.strokes.done.at(-1).clicks = { points, box, masks, at };
    editor.card.show();
    const others = say("mask {number} of {count}, M shows the next", { number: at + 1, count: masks.length });
    const said = [!runs.length && say("The model's mask is the one in hand."), masks.length > 1 && others].filter(Boolean);
    viewer.tell(listed(said, " "));
  }

  // The next of the masks that one click alone has.
  next() {
    const { editor, last } = this;
    if (!last || last.masks.length < 2) return editor.viewer.tell(say("Several masks come of one first click alone."));
    editor.turn(true);
    this.put(last.masks, (last.at + 1) % last.masks.length, last);
  }
}
