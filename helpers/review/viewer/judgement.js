// Verdicts: said, taken back, kept by the host, and as a file where there is no kernel.

import { isDrawn, isOfReview, joined } from "./corrections.js";
import { button, label, make, put } from "./elements.js";
import { Saving } from "./saving.js";
import { UNKEPT } from "./shelf.js";
import {
  faultOf, isRecord, latest, linesOf, momentOf, newId, newIn, progressOf, recordsOf, timeAfter,
} from "./verdicts.js";
import { counted, heard, listed, say } from "./words.js";

const TEXTS = { accept: "Accept (a)", fix: "Fix (f)", reject: "Reject (r)" };

export class Judgement {
  constructor(viewer) {
    Object.assign(this, { viewer, reasons: new Set(), saving: new Saving((text) => this.tell(text)) });
    this.buttons = Object.entries(TEXTS).map(([verdict, text]) =>
      button(say(text), () => this.give(verdict), { className: `vk-verdict vk-${verdict}`, dataset: { verdict } }),
    );
    this.tags = viewer.facts.reasons.map((reason, place) =>
      button(listed([place + 2, say(reason)], " "), () => this.tag(place), { className: "vk-tag", ariaPressed: "false" }),
    );
    this.note = make("input", { type: "text", maxLength: 2000, placeholder: say("note (e)"), dataset: { control: "note" } });
    this.advance = make("input", { type: "checkbox", checked: true, dataset: { control: "advance" } });
    this.said = make("p", { className: "vk-hint", role: "status" });
    this.judging = make(
      "div", { className: "vk-judging" },
      make("div", { className: "vk-verdicts" }, ...this.buttons),
      make("div", { className: "vk-tags" }, ...this.tags),
      label(say("Note"), this.note),
      make("div", { className: "vk-line" },
        make("label", { className: "vk-toggle" }, this.advance, make("span", { textContent: say("advance") })),
        make("span", { className: "vk-space" }), button(say("Undo (z)"), () => this.undo()),
        button(say("Correct (E)"), () => viewer.editor.toggle())),
    );
    this.root = make(
      "section", { className: "vk-card" },
      ...(viewer.host.reviewer === null ? [this.file()] : []), this.judging, viewer.editor.card.root, this.said,
    );
  }

  // Where no kernel knows who reviews, the name is asked for, and verdicts come and go as a file.
  file() {
    const { viewer } = this;
    this.reviewer = make("input", { type: "text", placeholder: say("your name"), dataset: { control: "reviewer" } });
    this.reviewer.addEventListener("input", () => {
      viewer.reviewer = this.reviewer.value.trim();
      this.show();
      viewer.editor.renamed();
    });
    this.saved = button(say("Download verdicts"), () => this.download());
    this.picked = make("input", { type: "file", accept: ".jsonl", dataset: { control: "import" } });
    this.picked.addEventListener("change", () => this.take(this.picked.files[0]));
    const picked = make("label", { className: "vk-import" }, make("span", { textContent: say("Import") }), this.picked);
    const both = make("div", { className: "vk-line" }, this.saved, picked);
    return make("div", { className: "vk-file" }, label(say("Reviewer"), this.reviewer), both);
  }

  // Verdicts are given, or a mask is corrected.
  turn(judging) {
    this.judging.hidden = !judging;
  }

  tell(text) {
    put(this.said, "textContent", heard(text));
  }

  // Says that something is kept, or that the browser could not.
  tellKept(text) {
    this.tell(this.viewer.host.unkept?.().length ? UNKEPT : text);
  }

  // What was said of the case before stands ready to be changed.
  recall() {
    const before = this.viewer.case && this.viewer.given().get(this.viewer.case.case_id);
    this.reasons = new Set(before?.reasons);
    this.note.value = before?.note ?? "";
  }

  show() {
    const { viewer } = this, { blind } = viewer.state, given = viewer.given();
    const mine = viewer.case ? given.get(viewer.case.case_id) : undefined;
    // Blind, a case counts once both have a verdict: their numbers apart would tell which is which.
    const counted = blind ? viewer.facts.runs.map((_, place) => viewer.given(place)) : [given];
    viewer.header.showVerdict(mine, progressOf(viewer.cases, counted));
    viewer.header.showCorrection();
    const saved = viewer.corrections.length ? say("Download with masks") : say("Download verdicts");
    if (this.saved) put(this.saved, "textContent", saved);
    this.tags.forEach((tag, place) => {
      tag.ariaPressed = String(this.reasons.has(viewer.facts.reasons[place]));
    });
    for (const one of this.buttons) {
      one.classList.toggle("vk-chosen", one.dataset.verdict === mine?.verdict);
      one.ariaPressed = String(one.dataset.verdict === mine?.verdict);
    }
    viewer.thumbnails.show();
  }

  tag(place) {
    const reason = this.viewer.facts.reasons[place];
    if (reason === undefined) return;
    if (!this.reasons.delete(reason)) this.reasons.add(reason);
    this.show();
  }

  async give(verdict) {
    const { viewer } = this;
    if (!viewer.case) return;
    if (viewer.data?.case_id !== viewer.case.case_id) {
      this.tell(say("Not saved: the case is still loading."));
      return;
    }
    if (viewer.data.drawn_first) {
      this.tell(say("Not saved: draw this case from empty first (E, s, E), then judge its prediction."));
      return;
    }
    const advance = this.advance.checked;
    const kept = await this.keep({
      case_id: viewer.case.case_id,
      verdict,
      reasons: viewer.facts.reasons.filter((reason) => this.reasons.has(reason)),
      note: this.note.value,
      threshold: viewer.prediction.stored ? viewer.state.threshold : null,
      withdraws: null,
    });
    if (!kept) return;
    const given = listed([kept.case_id, say(verdict)], ": ");
    this.tellKept(given);
    if (!advance || viewer.case?.case_id !== kept.case_id) return;
    const other = viewer.facts.runs.findIndex((_, place) => !viewer.isOn(kept, place));
    if (viewer.state.blind && other >= 0 && !viewer.given(other).has(kept.case_id)) viewer.otherRun();
    else if (viewer.place < viewer.queue.length - 1) viewer.step(1);
    else this.tellKept(listed([given, this.leftOver()], ". "));
  }

  // What a reviewer at the end of the queue is to do next.
  leftOver() {
    const given = this.viewer.given(), open = this.viewer.queue.filter((one) => !given.has(one.case_id)).length;
    if (!open) return say("Every case of the queue has a verdict, and all are saved: you are done.");
    return say("This was the last case of the queue. Cases without a verdict: {open} (u goes to the next one).", { open });
  }

  async undo() {
    const { viewer } = this;
    const last = latest(viewer.facts.runs.map((_, place) => viewer.given(place)));
    if (!last) {
      this.tell(say("There is no verdict to take back."));
      return;
    }
    const kept = await this.keep({
      run: last.run, case_id: last.case_id, verdict: null, reasons: [], note: "", threshold: null, withdraws: last.id,
      prediction: last.prediction ?? null,
    });
    if (!kept) return;
    const place = viewer.queue.findIndex((one) => one.case_id === last.case_id);
    if (place >= 0 && place !== viewer.place) await viewer.show(place);
    if (place >= 0 && !viewer.isOn(last, viewer.run)) viewer.otherRun();
    this.tellKept(say("{case}: {verdict} was taken back", { case: last.case_id, verdict: say(last.verdict) }));
  }

  // Whether it is known who reviews.
  named() {
    const fault = faultOf(this.viewer.reviewer);
    if (fault === "") return true;
    this.tell(fault);
    this.reviewer?.focus();
    return false;
  }

  async keep(values) {
    const { viewer } = this;
    if (!this.named()) return null;
    const record = {
      schema: "vesselkit.verdict", schema_version: 1, id: newId(),
      time: timeAfter(recordsOf(viewer.records, viewer.reviewer)),
      reviewer: viewer.reviewer, run: viewer.shownRun.run, prompt: viewer.facts.prompt,
      prediction: viewer.predictions.get(values.case_id)?.[viewer.run] ?? null, ...values,
    };
    if (!(await this.saving.keep(say("verdict"), () => viewer.host.save(record)))) return null;
    viewer.records.push(record);
    this.show();
    return record;
  }

  download() {
    const mine = this.viewer.records.filter((one) => this.isOurs(one));
    const { corrections } = this.viewer;
    const url = URL.createObjectURL(new Blob([linesOf([...mine, ...corrections])], { type: "application/jsonl" }));
    make("a", { href: url, download: `verdicts-${this.viewer.reviewer || "all"}.jsonl` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    const records = counted(mine.length, "record"), masks = counted(corrections.length, "correction");
    this.tell(corrections.length ? say("{records} and {masks} written to your downloads", { records, masks })
      : say("{records} written to your downloads", { records }));
  }

  isOurs(record) {
    const { facts } = this.viewer;
    return record.prompt === facts.prompt && facts.runs.some((_, place) => this.viewer.isOn(record, place));
  }

  async take(file) {
    if (!file) return;
    const { viewer } = this;
    const fits = (one) => isRecord(one, viewer.facts.reasons) && this.isOurs(one);
    const drawn = (one) => isDrawn(one) && isOfReview(one, viewer.facts);
    const known = [...viewer.records, ...viewer.corrections].map((one) => one.id);
    const { found, others } = newIn(await file.text(), known, (one) => fits(one) || drawn(one));
    const inTime = found.sort((a, b) => momentOf(a.time) - momentOf(b.time));
    let left = 0;
    for (const each of inTime) {
      const one = drawn(each) ? joined(each, viewer.corrections) : each;
      if (one === null) {
        left++; // what is here was drawn without it, and stays
        continue;
      }
      await (drawn(one) ? viewer.host.correct(one, true) : viewer.host.save(one));
      (drawn(one) ? viewer.corrections : viewer.records).push(one);
    }
    this.picked.value = "";
    this.show();
    await viewer.editor.recall();
    const taken = say("{records} imported, {lines} skipped.", {
      records: counted(found.length - left, "record"), lines: counted(others, "line"),
    });
    const stay = say("{masks} left out: yours here were drawn without them. To have the file's, take yours back (X) and " +
      "import it again.", { masks: counted(left, "correction") });
    this.tellKept(left ? listed([taken, stay], " ") : taken);
  }
}
