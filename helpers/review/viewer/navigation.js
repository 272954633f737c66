// The queue on the screen: its order and filters, the place in it, and the frames of a sequence.

import { stateOf } from "./case_states.js";
import { button, fold, label, make, options } from "./elements.js";
import { arranged, distinct, isKept } from "./queue.js";
import { VERDICTS } from "./verdicts.js";

const PLAY_MS = 180;

export class Navigation {
  constructor(viewer) {
    Object.assign(this, { viewer, filters: {}, playing: null });
    const { facts, cases } = viewer;
    const orders = facts.metrics.flatMap(({ name, title, guess }) => [
      [`worst:${name}`, guess ? "most doubted first" : `worst ${title} first`],
      [`best:${name}`, guess ? "least doubted first" : `best ${title} first`],
    ]);
    this.sort = this.select("sort", orders, "by case id");
    if (orders.length) this.sort.value = orders[0][0];
    const pairs = (name) => distinct(cases, name).map((value) => [value, value]);
    const fields = [label("Sort", this.sort)];
    for (const [name, title] of [["patient", "Patient"], ["sequence", "Sequence"], ["status", "Status"]]) {
      this.filters[name] = this.select(`${name}Filter`, pairs(name), "all");
      if (pairs(name).length) fields.push(label(title, this.filters[name]));
    }
    this.verdict = this.select("verdictFilter", ["none", ...VERDICTS].map((one) => [one, one]), "all");
    const masks = [["corrected", "corrected"], ["unsaved", "unsaved"], ["carried", "carried, to be looked at"]];
    this.correction = this.select("correctionFilter", masks, "all");
    this.number = make("output", {});
    this.slider = make("input", {
      type: "range", min: 1, step: 1, dataset: { control: "case" },
      oninput: () => viewer.show(Number(this.slider.value) - 1),
    });
    this.frame = make("input", {
      type: "range", min: 1, step: 1, dataset: { control: "frame" },
      oninput: () => viewer.showFrame(Number(this.frame.value) - 1),
    });
    this.frameNumber = make("output", {});
    this.button = button("▶ Play", () => this.play());
    this.frames = make("div", { className: "vk-field", hidden: true },
      label("Frame", this.frame), this.frameNumber, this.button);
    const step = (text, name, count) => button(text, () => viewer.step(count), { ariaLabel: name, title: name });
    // What is left out shows even where the fold is closed.
    this.order = make("span", { className: "vk-order" });
    fields.push(label("Verdict", this.verdict), label("Correction", this.correction));
    this.fold = fold(["Sort and filters ", this.order], make("div", { className: "vk-filters" }, ...fields));
    this.root = make(
      "nav", {},
      make("div", { className: "vk-field" }, step("‹", "previous case", -1), label("Case", this.slider), this.number,
        step("›", "next case", 1), viewer.thumbnails.button),
      this.frames, this.fold,
    );
  }

  select(name, values, all) {
    const found = make("select", { onchange: () => this.viewer.arrange(), dataset: { control: name } });
    options(found, values, all);
    return found;
  }

  get metric() {
    return this.sort.value.split(":")[1] ?? "";
  }

  // The cases that the filters leave in, in the chosen order.
  queue() {
    const [order, metric] = (this.sort.value || "natural:").split(":");
    const { facts, cases } = this.viewer, given = this.viewer.given();
    const inState = (caseId) => stateOf(this.viewer, caseId);
    const lower = facts.metrics.find((one) => one.name === metric)?.lower_is_better;
    const wanted = Object.fromEntries(Object.entries(this.filters).map(([name, { value }]) => [name, value]));
    const kept = (one) => isKept(one, wanted, this.verdict.value, given, this.correction.value, inState);
    return arranged(cases, order, metric, lower, kept);
  }

  show() {
    const { queue, place, case: here } = this.viewer, frames = this.viewer.frames();
    this.number.textContent = `${queue.length ? place + 1 : 0} / ${queue.length}`;
    Object.assign(this.slider, { max: Math.max(queue.length, 1), value: place + 1 });
    this.frames.hidden = frames.length < 2;
    const set = [...Object.values(this.filters), this.verdict, this.correction].filter(({ value }) => value !== "");
    this.order.textContent = [this.sort, ...set].map((one) => one.selectedOptions[0].textContent).join(" · ");
    if (frames.length < 2) return;
    Object.assign(this.frame, { max: frames.length, value: frames.indexOf(here) + 1 });
    this.frameNumber.textContent = `${frames.indexOf(here) + 1} / ${frames.length}`;
  }

  async play() {
    const { viewer } = this;
    const mine = (this.playing = this.playing ? null : {}); // stopped and started again, an earlier loop ends
    this.button.textContent = mine ? "■ Stop" : "▶ Play";
    while (mine && this.playing === mine) {
      const frames = viewer.frames();
      if (frames.length < 2 || !this.root.isConnected) break;
      await viewer.showFrame((frames.indexOf(viewer.case) + 1) % frames.length);
      await new Promise((done) => setTimeout(done, PLAY_MS));
    }
    if (this.playing !== mine) return;
    this.playing = null;
    this.button.textContent = "▶ Play";
  }

  focus() {
    this.fold.open = true;
    this.sort.focus();
  }

  stop() {
    if (this.playing) this.play();
  }
}
