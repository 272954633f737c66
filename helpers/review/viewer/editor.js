// Correcting masks: the case in hand, those left with strokes, and how a correction is kept.

import { packedMask, unpackedMask } from "./arithmetic.js";
import { Carrying } from "./carrying.js";
import { corrected, drawnCorrection, idsOf, takenBack } from "./corrections.js";
import { Edit, beginningsOf } from "./edit.js";
import { EditCard } from "./edit_card.js";
import { EditTools } from "./edit_tools.js";
import { sameMask } from "./mask_edit.js";
import { Saving } from "./saving.js";
import { TruthSeen } from "./truth_seen.js";
import { NAME } from "./verdicts.js";
import { say } from "./words.js";

export class Editor {
  constructor(viewer) {
    Object.assign(this, { viewer, edit: null, own: null, before: false, drafts: new Set() });
    this.truth = new TruthSeen(viewer.facts);
    this.saving = new Saving((text) => viewer.tell(text));
    this.carrying = new Carrying(this);
    this.tools = new EditTools(this);
    this.card = new EditCard(this);
  }

  // Once the viewer is on the page.
  begin(signal) {
    const held = () => this.edit?.strokes.changed || this.drafts.size > 0 || this.viewer.host.unkept?.().length > 0;
    addEventListener("beforeunload", (event) => held() && event.preventDefault(), { signal });
  }

  // -- what is on the screen ------------------------------------------------------------------------------------------

  // The mask of the panel, 0 or 1 a pixel: that in hand, else the one that was kept; null where there is none.
  get mask() {
    return (this.edit && this.before ? this.edit.beginning.mask : this.edit?.mask ?? this.own?.mask) ?? null;
  }

  // While a mask is in hand, and of a case that is to be drawn from empty: it must not guide the reader.
  get hidesTruth() {
    const { data } = this.viewer;
    return this.edit !== null ? !this.edit.truthShown : data !== null && this.drawsFirst(data.case_id);
  }

  // Whether a case's scores are to be off the screen, also while another case is on it.
  hidesScores(caseId) {
    const draft = this.draftOf(caseId);
    return this.drawsFirst(caseId) || (draft?.open === true && !draft.truthShown);
  }

  // How many cases of the reviewer are yet to be drawn from empty.
  get toDrawFirst() {
    return (this.viewer.facts.drawn_first ?? []).filter((caseId) => this.drawsFirst(caseId)).length;
  }

  // Whether a case is to be drawn from empty before its prediction is shown.
  drawsFirst(caseId) {
    const { facts, corrections, reviewer } = this.viewer;
    return facts.drawn_first?.includes(caseId) === true && idsOf(corrections, reviewer, caseId).length === 0;
  }

  // What the reviewer drew on a case and did not save. What another drew stays aside until that name is entered again.
  draftOf(caseId) {
    return [...this.drafts].find((one) => one.caseId === caseId && one.isOf(this.viewer.reviewer));
  }

  // Case id -> the reviewer's correction that stands. Records are only ever added.
  get corrected() {
    const { corrections, reviewer } = this.viewer, key = `${corrections.length} ${reviewer}`;
    if (this.known?.key !== key) this.known = { key, found: corrected(corrections, reviewer) };
    return this.known.found;
  }

  isUnsaved(caseId) {
    return this.edit?.caseId === caseId ? this.edit.strokes.changed : this.draftOf(caseId) !== undefined;
  }

  legend(palette) {
    if (this.mask === null) return [];
    if (this.edit && this.before) return [[say("before: {mask}", { mask: say(this.edit.beginning.name) }), this.colour(palette)]];
    const unchanged = this.edit && !this.edit.kept && this.edit.beginning.name !== "correction";
    const word = this.edit?.strokes.changed ? "not saved" : unchanged ? "unchanged" : "corrected";
    return [[say(word), palette.corrected]];
  }

  colour(palette) {
    return (this.edit && this.before && palette[this.edit.beginning.name]) || palette.corrected;
  }

  // Draws the panel's picture: all of it, or where strokes went since.
  paint(all) {
    const { mask, tools, viewer: { pictures, palette, state, hidden } } = this;
    if (mask !== null && (all || tools.dirty)) {
      pictures.correct(mask, this.colour(palette), state, hidden, all ? null : tools.dirty);
    }
    tools.dirty = null;
  }

  redraw() {
    this.card.show();
    this.viewer.showCorrection();
  }

  // -- the ground truth -----------------------------------------------------------------------------------------------

  showTruth() {
    const { edit, viewer } = this;
    if (!viewer.data.truth) return viewer.tell(say("This case has no ground truth."));
    edit.truthShown = !edit.truthShown;
    if (edit.truthShown) viewer.panels.bringTruth();
    viewer.panels.only(edit.truthShown ? null : viewer.panels.correction);
    this.redraw();
  }

  // -- cases come and go ----------------------------------------------------------------------------------------------

  // The case leaves the screen; what was drawn stays in hand.
  away() {
    const { edit, tools, viewer } = this;
    tools.up();
    if (edit) {
      edit.rest(performance.now());
      if (edit.strokes.changed) this.drafts.add(edit);
      viewer.panels.only(null);
    }
    Object.assign(this, { edit: null, own: null, before: false });
    this.card.show();
  }

  // Reads what there is of a case; the returned function puts it on the screen, once it is the case's turn: with its
  // strokes where they were left, else with the correction that stands.
  async arrive(data) {
    this.learn(data, data);
    const own = await this.ownOf(data);
    return () => {
      const draft = this.draftOf(data.case_id);
      this.own = own;
      if (draft?.open && this.refusal(data) === "") this.take(draft);
      this.card.show();
    };
  }

  // Records of a case, and their masks, that other windows kept meanwhile.
  learn(data, { corrections = [], corrected: masks = {} }) {
    const known = new Set(this.viewer.corrections.map((one) => one.id));
    const others = corrections.filter((one) => !known.has(one.id));
    this.viewer.corrections.push(...others);
    Object.assign(data.corrected, masks);
    if (others.length) this.viewer.judgement.show();
  }

  // Asks for these, of the case on the screen.
  async refresh() {
    const { viewer, viewer: { data, host } } = this;
    if (!data || !host.standing) return;
    try {
      const found = await host.standing(data.case_id);
      this.learn(data, found);
      viewer.facts.waiting = found.waiting ?? viewer.facts.waiting;
    } catch {
      return; // that the kernel is gone is told where something is to be saved
    }
    if (viewer.data === data && this.corrected.get(data.case_id)?.id !== this.own?.record.id) await this.recall();
  }

  async ownOf(data) {
    const record = this.corrected.get(data.case_id), packed = record?.mask ?? data.corrected[record?.id] ?? null;
    if (!record || record.image_sha256 !== data.image_sha256 || this.viewer.state.blind) return null;
    if (packed !== null) return { record, mask: await unpackedMask(packed, data.width * data.height) };
    this.viewer.tell(say("The mask of your correction of this case is lost or damaged: correct it again."));
    return null;
  }

  // Who reviews is another one now. Strokes belong to who drew them: they are never saved under another name.
  renamed() {
    const { edit, viewer } = this;
    let aside = "";
    if (edit && !edit.isOf(viewer.reviewer)) {
      this.away();
      const by = { name: edit.drawnBy };
      if (edit.strokes.changed) aside = say("The mask that {name} did not save stays aside: enter that name again to draw on.", by);
    }
    const draft = viewer.data && !this.edit ? this.draftOf(viewer.data.case_id) : undefined;
    if (draft?.open && this.refusal(viewer.data) === "") this.take(draft);
    viewer.tell(aside);
    return this.recall();
  }

  // The reviewer is another one, or has more corrections.
  async recall() {
    const { data } = this.viewer;
    if (!data) return;
    const own = await this.ownOf(data);
    if (this.viewer.data !== data) return;
    this.own = own;
    this.redraw();
  }

  // -- beginning and leaving ------------------------------------------------------------------------------------------

  // Why this case cannot be corrected now; empty where it can.
  refusal(data) {
    const { state, run, case: here } = this.viewer;
    if (data?.case_id !== here?.case_id) return say("The case is still loading.");
    if (!data) return say("No case is on the screen to be corrected.");
    if (state.blind) return say("Blind A/B judges masks as they are: leave it (x) to correct one.");
    if (run !== 0) return say("Corrections are of the first run: b shows it.");
    return Object.keys(data.bases).length ? "" : say("The frame cannot be read: there is nothing to correct.");
  }

  toggle() {
    if (this.edit) return this.leave();
    const { data, navigation } = this.viewer, said = this.refusal(data);
    if (said) return this.viewer.tell(said);
    this.take(this.draftOf(data.case_id) ?? new Edit(data, beginningsOf(data, this.own)[0]));
    this.edit.knew = idsOf(this.viewer.corrections, this.viewer.reviewer, data.case_id); // its panel showed the last
    navigation.stop();
    this.viewer.tell(data.drawn_first
      ? say("Draw this case from empty: its prediction is shown once you saved (s) and left (E).")
      : say("Enter brings the other panels, holding v the mask before; ? has all keys."));
    this.redraw();
  }

  take(edit) {
    this.drafts.delete(edit);
    edit.open = true;
    edit.touch(performance.now());
    this.edit = edit;
    this.viewer.panels.only(this.viewer.panels.correction);
  }

  leave() {
    const { edit, own } = this;
    Object.assign(edit, { open: false, truthShown: false });
    this.away();
    this.own = own;
    this.redraw();
    const { data } = this.viewer;
    if (data.drawn_first && !this.drawsFirst(data.case_id)) this.viewer.show(this.viewer.place); // with its prediction
    this.viewer.tell(edit.strokes.changed ? say("Not saved yet: press E to continue with it, then s to save it.") : "");
  }

  // Begins from the next mask there is, or from one by name.
  beginFrom(name = null) {
    this.tools.up();
    const { edit, viewer } = this;
    if (edit.strokes.done.length) return viewer.tell(say("Undo all strokes (z) to begin from another mask."));
    const all = beginningsOf(viewer.data, this.own), at = all.findIndex((one) => one.name === edit.beginning.name);
    edit.begin(all.find((one) => one.name === name) ?? all[(at + 1) % all.length]);
    if (edit.beginning.before) edit.knew = idsOf(viewer.corrections, viewer.reviewer, edit.caseId);
    this.changed("all");
  }

  showBefore(before) {
    if (this.before === before || (before && !this.edit)) return;
    this.before = before;
    this.viewer.draw("all");
  }

  // -- strokes --------------------------------------------------------------------------------------------------------

  did(tool, runs) {
    this.edit.strokes.add(tool, runs);
    this.changed("view");
  }

  // Undoes the last stroke, or does the last undone one again.
  turn(back) {
    if (this.tools.stroke) return;
    const part = this.edit.turn(back);
    if (part === null) return this.viewer.tell(back ? say("Nothing is left to undo.") : say("Nothing is left to do again."));
    this.tools.touched(part);
    this.changed("view");
  }

  changed(drawn) {
    const { edit, viewer } = this;
    if (edit.strokes.changed && NAME.test(viewer.reviewer)) edit.drawnBy ??= viewer.reviewer;
    edit.touch(performance.now());
    this.card.show();
    viewer.header.showCorrection();
    viewer.panels.showLegend(viewer.palette, viewer.prediction.stored !== null);
    viewer.draw(drawn);
  }

  // -- keeping --------------------------------------------------------------------------------------------------------

  // Why the mask in hand is no correction, or is kept already; empty where it can be kept.
  unkept() {
    const { edit: { beginning: { base, name }, kept, mask, strokes }, viewer: { data } } = this;
    if (!strokes.changed && (kept || name === "correction")) return say("This correction is saved already.");
    if (base.began_from === "empty" && name !== "correction" && !kept && strokes.tools.length === 0) {
      return say("Not saved: nothing is drawn. Where there is no vessel, draw and erase one pixel.");
    }
    if (["empty", "carried"].includes(base.began_from) || data.bases[base.began_from]?.mask_sha256 !== base.mask_sha256) return "";
    const begun = beginningsOf(data, null).find((one) => one.name === base.began_from).mask;
    return sameMask(mask, begun) ? say("Not saved: the mask is as it began. X takes a saved correction back.") : "";
  }

  async save() {
    this.tools.up();
    const { edit, viewer } = this, { data } = viewer, said = this.unkept();
    if (said) return viewer.tell(said);
    if (!viewer.judgement.named()) return;
    edit.touch(performance.now());
    const mask = edit.mask.slice(), { base, before } = edit.beginning, { last } = edit.strokes, { reviewer } = viewer;
    const drawn = drawnCorrection({
      reviewer, data, base, mask: await packedMask(mask), before, spent: edit.spent, tools: edit.strokes.tools,
      truthSeen: this.truth.of(data, base, reviewer), asked: viewer.facts.clicks, knew: edit.knew,
      runs: viewer.facts.runs.filter((_, place) => data.predictions[place].full),
    }, viewer.corrections);
    edit.drawnBy = reviewer;
    if (!(await this.keep(drawn))) return;
    edit.keep(last);
    edit.knew.push(drawn.id);
    if (this.edit === edit) this.own = { record: drawn, mask };
    else if (!edit.strokes.changed) this.drafts.delete(edit);
    this.redraw();
    viewer.judgement.tellKept(say("{case}: the correction is saved", { case: drawn.case_id }));
  }

  // Takes the reviewer's correction of this case back.
  async takeBack() {
    this.tools.up();
    const { viewer, own, edit } = this;
    if (!own) return viewer.tell(say("No correction of yours is saved for this case."));
    if (edit.strokes.changed) return viewer.tell(say("Undo (z) or save (s) what you drew since, then take it back."));
    const back = takenBack(own.record, edit.knew, viewer.corrections);
    if (!(await this.keep(back))) return;
    edit.knew.push(back.id);
    if (this.edit === edit) {
      this.own = null;
      edit.begin(beginningsOf(viewer.data, null)[0]);
    }
    this.redraw();
    viewer.judgement.tellKept(say("{case}: the correction was taken back", { case: own.record.case_id }));
  }

  async keep(drawn) {
    const waiting = this.viewer.facts.waiting.length; // masks carried from what is another correction now wait no more
    if (!(await this.saving.keep(say("correction"), () => this.viewer.host.correct(drawn)))) {
      this.refresh(); // where another window was first, its correction is to be seen
      return false;
    }
    this.viewer.corrections.push(drawn);
    if (this.viewer.facts.waiting.length !== waiting || this.viewer.data?.drawn_first) this.viewer.decoded.forget();
    return true;
  }
}
