// The queue on the screen: its order and filters, the place in it, and the frames of a sequence.

import { stateOf } from "./case_states.js";
import { button, fold, label, make, options, put } from "./elements.js";
import { arranged, distinct, isKept } from "./queue.js";
import { VERDICTS } from "./verdicts.js";
import { heard, say } from "./words.js";

const PLAY_MS = 180;

export class Navigation {
  constructor(viewer) {
    Object.assign(this, { viewer, filters: {}, playing: null });
    const { facts, cases } = viewer;
    const orders = facts.metrics.flatMap(({ name, title, guess }) => [
      [`worst:${name}`, guess ? say("most doubted first") : say("worst {title} first", { title: heard(title) })],
      [`best:${name}`, guess ? say("least doubted first") : say("best {title} first", { title: heard(title) })],
    ]);
    this.sort = this.select("sort", orders, say("by case id"));
    if (orders.length) this.sort.value = orders[0][0];
    const pairs = (name) => distinct(cases, name).map((value) => [value, value]);
    const fields = [label(say("Sort"), this.sort)];
    for (const [name, title] of [["patient", "Patient"], ["sequence", "Sequence"], ["status", "Status"]]) {
      this.filters[name] = this.select(`${name}Filter`, pairs(name), say("all"));
      if (pairs(name).length) fields.push(label(say(title), this.filters[name]));
    }
    this.verdict = this.select("verdictFilter", ["none", ...VERDICTS].map((one) => [one, say(one)]), say("all"));
    const masks = [["corrected", say("corrected")], ["unsaved", say("unsaved")], ["carried", say("carried, to be looked at")]];
    this.correction = this.select("correctionFilter", masks, say("all"));
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
    this.button = button(say("▶ Play"), () => this.play());
    this.frames = make("div", { className: "vk-field", hidden: true },
      label(say("Frame"), this.frame), this.frameNumber, this.button);
    const step = (text, name, count) => button(text, () => viewer.step(count), { ariaLabel: name, title: name });
    // What is left out shows even where the fold is closed.
    this.order = make("span", { className: "vk-order" });
    fields.push(label(say("Verdict"), this.verdict), label(say("Correction"), this.correction));
    this.fold = fold([say("Sort and filters"), " ", this.order], make("div", { className: "vk-filters" }, ...fields));
    this.root = make(
      "nav", {},
      make("div", { className: "vk-field" }, step("‹", say("previous case"), -1), label(say("Case"), this.slider), this.number,
        step("›", say("next case"), 1), viewer.thumbnails.button),
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
    put(this.button, "textContent", mine ? say("■ Stop") : say("▶ Play"));
    while (mine && this.playing === mine) {
      const frames = viewer.frames();
      if (frames.length < 2 || !this.root.isConnected) break;
      await viewer.showFrame((frames.indexOf(viewer.case) + 1) % frames.length);
      await new Promise((done) => setTimeout(done, PLAY_MS));
    }
    if (this.playing !== mine) return;
    this.playing = null;
    put(this.button, "textContent", say("▶ Play"));
  }

  focus() {
    this.fold.open = true;
    this.sort.focus();
  }

  stop() {
    if (this.playing) this.play();
  }
}
