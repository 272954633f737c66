// What is looked at: the case, how its prediction ended, its verdict, and how far the reviewer is.

import { countsOf } from "./arithmetic.js";
import { wordOf } from "./case_states.js";
import { button, make, put } from "./elements.js";
import { LANGUAGES, Said, heard, listed, otherLanguage, say } from "./words.js";

export class Header {
  constructor(viewer) {
    const { facts } = viewer;
    this.viewer = viewer;
    this.id = make("h2", { className: "vk-id" });
    const stamp = make("strong", { className: "vk-stamp", textContent: facts.stamp ?? "", hidden: !facts.stamp });
    const title = heard(facts.title ?? "");
    const standing = make("span", { className: "vk-chip vk-standing", textContent: title, title, hidden: !facts.title });
    this.trained = make("strong", { className: "vk-chip vk-warning", textContent: say("TRAINING patient"), hidden: true });
    this.about = make("span", { className: "vk-facts" });
    this.status = make("span", { className: "vk-chip vk-status" });
    this.warning = make("span", { className: "vk-chip vk-warning", hidden: true });
    this.given = make("span", { className: "vk-chip", hidden: true });
    this.corrected = make("span", { className: "vk-chip vk-corrected", hidden: true });
    this.run = make("span", { className: "vk-run" });
    this.reviewer = make("span", { className: "vk-reviewer" });
    this.counted = make("span", {});
    this.progress = make("span", { className: "vk-progress", role: "status" }, this.reviewer, this.counted);
    this.bar = make("progress", { max: 1, value: 0, ariaLabel: say("reviewed") });
    const help = button(say("Keys ?"), () => viewer.help.toggle());
    const language = button(new Said(() => LANGUAGES[otherLanguage()]), () => viewer.speak(otherLanguage()),
      { className: "vk-language" });
    const right = make("div", { className: "vk-right" }, this.progress, this.bar, help, language);
    this.root = make(
      "header", {},
      make("div", { className: "vk-case" }, this.id, stamp, right),
      make("div", { className: "vk-about" },
        this.status, standing, this.trained, this.warning, this.given, this.corrected, this.run, this.about),
    );
  }

  showCase(here) {
    put(this.id, "textContent", here ? here.case_id : say("no case"));
    this.trained.hidden = here?.training !== "training";
    const facts = here ? [[say("patient"), here.patient], [say("sequence"), here.sequence], [say("frame"), here.frame]] : [];
    const guess = this.viewer.facts.metrics.find((one) => one.guess);
    if (here?.why) facts.push([listed([heard(guess.title), ":"], ""), here.scores[guess.name]]);
    if (here?.why === "random") facts.push([say("in the queue"), say("at random")]);
    const about = listed(facts.filter(([, value]) => value !== null).map((pair) => listed(pair, " ")));
    put(this.about, "textContent", about);
    put(this.about, "title", about);
    put(this.id, "title", this.id.textContent);
  }

  // `letter`: what the run is called while its name is not to be known.
  showPrediction(letter) {
    const { facts, state, shownRun, prediction, data, panels } = this.viewer;
    // Blind, words that only one of the runs was asked would tell which it is.
    const sameWords = facts.runs.every((one) => one.prompt_text === shownRun.prompt_text);
    const words = state.blind && !sameWords ? "" : ` · ${shownRun.prompt_text}`;
    this.run.textContent = `${state.blind ? letter : shownRun.name}${words}`;
    this.run.title = this.run.textContent;
    put(this.status, "textContent", heard(prediction.status));
    this.status.classList.toggle("vk-warning", prediction.status !== "ok");
    put(this.status, "title", heard(prediction.words ?? ""));
    // Two empty masks are alike without having anything to do with each other.
    const [, alone, missed, found] = prediction.stored && data.truth
      ? countsOf(data.truth, prediction.stored, data.ignored) : [0, 0, 0, 0];
    const same = found > 0 && alone + missed === 0;
    this.warning.hidden = !same || panels.truthHidden;
    put(this.warning, "textContent", same ? say("identical to the ground truth: check its origin") : "");
  }

  showVerdict(mine, { reviewed, rejected }) {
    const { cases, host, state } = this.viewer;
    this.given.hidden = !mine;
    this.given.className = `vk-chip vk-${mine?.verdict ?? "open"}`;
    const given = listed(mine ? [mine.verdict, ...mine.reasons].map((one) => say(one)) : []);
    put(this.given, "textContent", given);
    put(this.given, "title", listed([given, mine?.note].filter(Boolean), "\n"));
    const { cases: all, editor } = this.viewer, kept = editor.corrected;
    const count = state.blind ? 0 : all.filter((one) => kept.has(one.case_id)).length;
    const first = editor.toDrawFirst;
    this.reviewer.textContent = this.reviewer.title = host.reviewer ? `${host.reviewer}:` : "";
    const parts = [
      say("{count} of {all} reviewed", { count: reviewed, all: cases.length }),
      !state.blind && say("{count} rejected", { count: rejected }),
      count > 0 && say("{count} corrected", { count }),
      first > 0 && say("{count} to draw from empty", { count: first }),
    ].filter(Boolean);
    put(this.counted, "textContent", listed([host.reviewer ? " " : "", listed(parts, ", ")], ""));
    this.bar.value = cases.length ? reviewed / cases.length : 0;
  }

  // What the reviewer has corrected of this case.
  showCorrection() {
    const { editor, case: here } = this.viewer, word = here ? wordOf(this.viewer, here.case_id) : "";
    const said = [editor.edit && say("correcting"), word].filter(Boolean);
    this.corrected.hidden = said.length === 0;
    put(this.corrected, "textContent", listed(said));
  }

  // Leaves nothing of the case before.
  clear() {
    put(this.status, "textContent", "–");
    put(this.status, "title", "");
    this.run.textContent = "–";
    this.run.title = "";
    this.warning.hidden = true;
  }
}
