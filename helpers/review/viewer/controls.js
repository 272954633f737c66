// Scores of the mask that is shown, and the sliders and switches of mask and picture.

import { button, fold, label, make, put, written } from "./elements.js";
import { SLIDERS, TOGGLES } from "./settings.js";
import { say } from "./words.js";

const SCORES = { dice: "Dice", precision: "Precision", recall: "Recall", centreline: "Centreline" };
const RARE = ["width", "divide", "invert", "palette", "blind"]; // in a fold where room lacks
const DIGITS = { threshold: 3, opacity: 2, divide: 2 };

export class Controls {
  constructor(viewer) {
    Object.assign(this, { viewer, sliders: {}, values: {}, toggles: {}, scores: {} });
    this.atThreshold = make("p", { className: "vk-hint" });
    this.other = button(say("Other run"), () => viewer.otherRun());
    this.other.hidden = viewer.facts.runs.length < 2;
    const rare = (name) => RARE.includes(name), often = (name) => !rare(name);
    const names = Object.keys(SLIDERS), switches = Object.keys(TOGGLES);
    const all = (className, wanted, part) => make("div", { className }, ...wanted.map(part));
    const sliders = (kept) => all("vk-grid", names.filter(kept), (name) => this.slider(name));
    const toggles = (kept) => all("vk-toggles", switches.filter(kept), (name) => this.toggle(name));
    this.root = make(
      "section", { className: "vk-controls" },
      all("vk-scores", Object.entries(SCORES), ([name, title]) => this.score(name, title)),
      this.atThreshold, sliders(often), toggles(often),
      fold([say("More of mask and picture")], sliders(rare), toggles(rare),
        make("div", { className: "vk-line" }, button(say("Reset (q)"), () => viewer.reset()), this.other)),
    );
  }

  score(name, title) {
    this.scores[name] = make("output", { dataset: { score: name }, textContent: "–" });
    return make("div", { className: "vk-score" }, make("span", { textContent: say(title) }), this.scores[name]);
  }

  slider(name) {
    const [title, min, max, step] = SLIDERS[name];
    const input = make("input", { type: "range", min, max, step, dataset: { control: name } });
    input.addEventListener("input", () => this.viewer.set(name, Number(input.value)));
    this.sliders[name] = input;
    this.values[name] = make("output", {});
    return make("div", { className: "vk-field" }, label(say(title), input), this.values[name]);
  }

  toggle(name) {
    const { viewer } = this;
    const input = make("input", { type: "checkbox", dataset: { control: name }, onchange: () => viewer.toggle(name) });
    this.toggles[name] = input;
    return make(
      "label", { className: "vk-toggle", hidden: name === "blind" && viewer.facts.runs.length < 2 },
      input, make("span", { textContent: say(TOGGLES[name]) }),
    );
  }

  showScores(values) {
    for (const [name, output] of Object.entries(this.scores)) output.textContent = written(values[name]);
  }

  clear() {
    this.showScores({});
    put(this.atThreshold, "textContent", "");
  }

  show(own, there) {
    const { sliders, values, toggles, atThreshold } = this, { state, shownRun, prediction } = this.viewer;
    for (const [name, input] of Object.entries(sliders)) {
      input.value = state[name];
      put(values[name], "textContent", state[name].toFixed(DIGITS[name] ?? 0));
    }
    for (const [name, input] of Object.entries(toggles)) input.checked = state[name];
    sliders.threshold.disabled = !prediction.full;
    sliders.width.disabled = !state.contour;
    sliders.divide.disabled = !state.swipe;
    sliders.opacity.disabled = state.contour;
    const at = state.blind ? "" : ` ${written(shownRun.threshold)}`;
    const text = own ? say("the run's own mask, at its threshold{at}", { at }) : say("not the run's mask (t: its threshold{at})", { at });
    if (state.blind && own) {
      // The place of the slider could tell which run this is.
      sliders.threshold.value = 0.5;
      put(values.threshold, "textContent", say("own"));
    }
    put(atThreshold, "textContent", there ? text : "");
    atThreshold.classList.toggle("vk-warns", !own);
  }
}
