// Scores of the mask that is shown, and the sliders and switches of mask and picture.

import { label, make, written } from "./elements.js";
import { SLIDERS, TOGGLES } from "./settings.js";

const SCORES = { dice: "Dice", precision: "Precision", recall: "Recall", centreline: "Centreline found" };
const DIGITS = { threshold: 3, opacity: 2, divide: 2 };

export class Controls {
  constructor(viewer) {
    Object.assign(this, { viewer, sliders: {}, values: {}, toggles: {}, scores: {} });
    this.atThreshold = make("p", { className: "vk-hint" });
    const button = (text, act) => make("button", { type: "button", textContent: text, onclick: act });
    this.other = button("Other run", () => viewer.otherRun());
    this.other.hidden = viewer.facts.runs.length < 2;
    this.root = make(
      "section", { className: "vk-card" },
      make("div", { className: "vk-scores" }, ...Object.entries(SCORES).map(([name, title]) => this.score(name, title))),
      this.atThreshold,
      make("div", { className: "vk-grid" }, ...Object.keys(SLIDERS).map((name) => this.slider(name))),
      make("div", { className: "vk-line" }, ...Object.keys(TOGGLES).map((name) => this.toggle(name)),
        button("Reset", () => viewer.reset()), this.other),
    );
  }

  score(name, title) {
    this.scores[name] = make("output", { dataset: { score: name }, textContent: "–" });
    return make("div", { className: "vk-score" }, make("span", { textContent: title }), this.scores[name]);
  }

  slider(name) {
    const [title, min, max, step] = SLIDERS[name];
    const input = make("input", { type: "range", min, max, step, dataset: { control: name } });
    input.addEventListener("input", () => this.viewer.set(name, Number(input.value)));
    this.sliders[name] = input;
    this.values[name] = make("output", {});
    return make("div", { className: "vk-field" }, label(title, input), this.values[name]);
  }

  toggle(name) {
    const { viewer } = this;
    const input = make("input", { type: "checkbox", dataset: { control: name }, onchange: () => viewer.toggle(name) });
    this.toggles[name] = input;
    return make(
      "label", { className: "vk-toggle", hidden: name === "blind" && viewer.facts.runs.length < 2 },
      input, make("span", { textContent: TOGGLES[name] }),
    );
  }

  showScores(values) {
    for (const [name, output] of Object.entries(this.scores)) output.textContent = written(values[name]);
  }

  show(own, there) {
    const { sliders, values, toggles, atThreshold } = this, { state, subject, prediction } = this.viewer;
    for (const [name, input] of Object.entries(sliders)) {
      input.value = state[name];
      values[name].textContent = state[name].toFixed(DIGITS[name] ?? 0);
    }
    for (const [name, input] of Object.entries(toggles)) input.checked = state[name];
    sliders.threshold.disabled = !prediction.full;
    sliders.width.disabled = !state.contour;
    sliders.divide.disabled = !state.swipe;
    sliders.opacity.disabled = state.contour;
    const at = state.blind ? "" : ` ${written(subject.threshold)}`;
    if (state.blind && own) {
      // The place of the slider could tell which run this is.
      sliders.threshold.value = 0.5;
      values.threshold.textContent = "own";
    }
    atThreshold.textContent = !there ? "" : own
      ? `the run's own mask, at its threshold${at}`
      : `not the run's mask, which has its own threshold${at} (t goes back)`;
    atThreshold.classList.toggle("vk-warns", !own);
  }
}
