// What is looked at: the case, how its prediction ended, its verdict, and how far the reviewer is.

import { countsOf } from "./arithmetic.js";
import { wordOf } from "./case_states.js";
import { button, make } from "./elements.js";

export class Header {
  constructor(viewer) {
    const { facts } = viewer;
    this.viewer = viewer;
    this.id = make("h2", { className: "vk-id" });
    const stamp = make("strong", { className: "vk-stamp", textContent: facts.stamp ?? "", hidden: !facts.stamp });
    const title = facts.title ?? "";
    const standing = make("span", { className: "vk-chip vk-standing", textContent: title, title, hidden: !title });
    this.trained = make("strong", { className: "vk-chip vk-warning", textContent: "TRAINING patient", hidden: true });
    this.about = make("span", { className: "vk-facts" });
    this.status = make("span", { className: "vk-chip vk-status" });
    this.warning = make("span", { className: "vk-chip vk-warning", hidden: true });
    this.given = make("span", { className: "vk-chip", hidden: true });
    this.corrected = make("span", { className: "vk-chip vk-corrected", hidden: true });
    this.run = make("span", { className: "vk-run" });
    this.reviewer = make("span", { className: "vk-reviewer" });
    this.counted = make("span", {});
    this.progress = make("span", { className: "vk-progress", role: "status" }, this.reviewer, this.counted);
    this.bar = make("progress", { max: 1, value: 0, ariaLabel: "reviewed" });
    const help = button("Keys ?", () => viewer.help.toggle());
    const right = make("div", { className: "vk-right" }, this.progress, this.bar, help);
    this.root = make(
      "header", {},
      make("div", { className: "vk-case" }, this.id, stamp, right),
      make("div", { className: "vk-about" },
        this.status, standing, this.trained, this.warning, this.given, this.corrected, this.run, this.about),
    );
  }

  showCase(here) {
    this.id.textContent = here ? here.case_id : "no case";
    this.trained.hidden = here?.training !== "training";
    const facts = here ? [["patient", here.patient], ["sequence", here.sequence], ["frame", here.frame]] : [];
    const guess = this.viewer.facts.metrics.find((one) => one.guess);
    if (here?.why) facts.push([`${guess.title}:`, here.scores[guess.name]]);
    if (here?.why === "random") facts.push(["in the queue", "at random"]);
    this.about.textContent = facts.filter(([, value]) => value !== null).map((pair) => pair.join(" ")).join(" · ");
    this.about.title = this.about.textContent;
    this.id.title = this.id.textContent;
  }

  // `letter`: what the run is called while its name is not to be known.
  showPrediction(letter) {
    const { facts, state, shownRun, prediction, data, panels } = this.viewer;
    // Blind, words that only one of the runs was asked would tell which it is.
    const sameWords = facts.runs.every((one) => one.prompt_text === shownRun.prompt_text);
    const words = state.blind && !sameWords ? "" : ` · ${shownRun.prompt_text}`;
    this.run.textContent = `${state.blind ? letter : shownRun.name}${words}`;
    this.run.title = this.run.textContent;
    this.status.textContent = prediction.status;
    this.status.classList.toggle("vk-warning", prediction.status !== "ok");
    this.status.title = prediction.words ?? "";
    // Two empty masks are alike without having anything to do with each other.
    const [, alone, missed, found] = prediction.stored && data.truth
      ? countsOf(data.truth, prediction.stored, data.ignored) : [0, 0, 0, 0];
    const same = found > 0 && alone + missed === 0;
    this.warning.hidden = !same || panels.truthHidden;
    this.warning.textContent = same ? "identical to the ground truth: check its origin" : "";
  }

  showVerdict(mine, { reviewed, rejected }) {
    const { cases, host, state } = this.viewer;
    this.given.hidden = !mine;
    this.given.className = `vk-chip vk-${mine?.verdict ?? "open"}`;
    this.given.textContent = mine ? [mine.verdict, ...mine.reasons].join(" · ") : "";
    this.given.title = [this.given.textContent, mine?.note].filter(Boolean).join("\n");
    const { cases: all, editor } = this.viewer, kept = editor.corrected;
    const count = state.blind ? 0 : all.filter((one) => kept.has(one.case_id)).length;
    const of = state.blind ? "" : `, ${rejected} rejected${count ? `, ${count} corrected` : ""}`;
    const first = editor.toDrawFirst, drawn = first ? `, ${first} to draw from empty` : "";
    this.reviewer.textContent = this.reviewer.title = host.reviewer ? `${host.reviewer}:` : "";
    this.counted.textContent = `${host.reviewer ? " " : ""}${reviewed} of ${cases.length} reviewed${of}${drawn}`;
    this.bar.value = cases.length ? reviewed / cases.length : 0;
  }

  // What the reviewer has corrected of this case.
  showCorrection() {
    const { editor, case: here } = this.viewer, word = here ? wordOf(this.viewer, here.case_id) : "";
    const said = [editor.edit && "correcting", word].filter(Boolean).join(" · ");
    this.corrected.hidden = said === "";
    this.corrected.textContent = said;
  }

  // Leaves nothing of the case before.
  clear() {
    this.status.textContent = this.run.textContent = "–";
    this.status.title = this.run.title = "";
    this.warning.hidden = true;
  }
}
