// Corrections that the kernel's model carries through their sequence, and the carried masks that wait to be looked at.

import { Saving } from "./saving.js";
import { say } from "./words.js";

export class Carrying {
  constructor(editor) {
    Object.assign(this, { editor, busy: false, saving: new Saving((text) => editor.viewer.tell(text)) });
  }

  // Has the model follow the saved correction to the other frames of the sequence, where it waits to be looked at.
  async carry() {
    const { editor, editor: { edit, own, viewer, tools: { clicks } } } = this;
    if (clicks.refusal) return viewer.tell(clicks.refusal);
    if (!own || edit.strokes.changed) return viewer.tell(say("Save the correction (s), then carry it."));
    if (this.busy) return viewer.tell(say("The model is still carrying the correction before."));
    this.busy = true;
    viewer.tell(say("Carrying: the model follows the mask from frame to frame …"));
    const carried = ({ said, waiting }) => {
      editor.card.showProgress(null);
      this.waits(waiting);
      viewer.tell(said);
    };
    try {
      carried(await viewer.host.carry(viewer.data.case_id, (done, total) => this.progress(done, total)));
    } catch (error) {
      viewer.tell(error.message);
      error.late?.then(carried, (failure) => viewer.tell(failure.message));
    } finally {
      this.busy = false;
      editor.card.showProgress(null);
    }
  }

  progress(done, total) {
    this.editor.card.showProgress(done < total ? { done, total } : null);
    this.editor.viewer.tell(say("Carrying: {done} of {total} frames", { done, total }));
  }

  // The carried mask of this case is of no use: it waits no more.
  async dismiss() {
    const { editor, editor: { edit, viewer } } = this, { data } = viewer;
    if (!data.carried) return viewer.tell(say("No carried mask waits at this case."));
    if (edit.strokes.changed) return viewer.tell(say("Undo (z) or save (s) what you drew, then dismiss the carried mask."));
    let waiting;
    const kept = await this.saving.keep(say("dismissal"), async () => {
      waiting = await viewer.host.dismiss(data.case_id);
    });
    if (!kept) return;
    delete data.bases.carried;
    data.carried = null;
    this.waits(waiting);
    if (editor.edit === edit && edit.beginning.name === "carried") editor.beginFrom();
    viewer.tell(say("{case}: the carried mask was dismissed", { case: data.case_id }));
  }

  // Masks at these cases are to be looked at.
  waits(caseIds) {
    const { editor, editor: { viewer } } = this;
    viewer.facts.waiting = caseIds;
    viewer.decoded.forget();
    // A case that came on the screen meanwhile comes with its mask.
    if (!editor.edit && viewer.data && !viewer.data.carried && caseIds.includes(viewer.data.case_id)) {
      viewer.show(viewer.place);
    } else editor.redraw();
  }
}
