// The viewer: what is looked at and how, and the parts of the screen that show it.

import { Cases } from "./cases.js";
import { Controls } from "./controls.js";
import { Editor } from "./editor.js";
import { make, put, retell } from "./elements.js";
import { Header } from "./header.js";
import { Judgement } from "./judgement.js";
import { Help, listenToKeys } from "./keys.js";
import { Navigation } from "./navigation.js";
import { Panels } from "./panels.js";
import { Pictures } from "./pictures.js";
import { byName, firstBlind, framesOf, nextOpen } from "./queue.js";
import { DEFAULTS, limited, nudged } from "./settings.js";
import { Stage } from "./stage.js";
import { Thumbnails } from "./thumbnails.js";
import { isOn, standing } from "./verdicts.js";
import { Said, heard, languageNow, say, speak } from "./words.js";

const RANKS = ["view", "mask", "all"]; // what is to be drawn again: each with all before it

// `host`: load(case_id) gives a payload, save(record) keeps a verdict and correct(drawn) a correction, and may fail;
// `reviewer` is null where it is asked for on the screen, which then also offers both as a file.
export class Viewer {
  constructor(root, facts, host) {
    Object.assign(this, { root, facts, host, records: [...facts.verdicts], run: 0, data: null, queue: [], place: 0 });
    this.corrections = [...facts.corrections];
    this.predictions = new Map(facts.cases.map((one) => [one.case_id, one.predictions]));
    this.beside = facts.beside;
    this.state = { ...DEFAULTS, threshold: facts.runs[0].threshold };
    this.reviewer = host.reviewer ?? "";
    this.cases = [...facts.cases].sort((a, b) => byName.compare(a.case_id, b.case_id));
    this.decoded = new Cases(host.load);
    Object.assign(this, { hidden: false, asked: 0 });
    speak(facts.language);
    this.build();
    this.arrange();
  }

  get shownRun() {
    return this.facts.runs[this.run];
  }

  get prediction() {
    return this.data?.predictions[this.run] ?? null;
  }

  get case() {
    return this.queue[this.place] ?? null;
  }

  // Whether the threshold is the run's own.
  get own() {
    return this.state.threshold === this.shownRun.threshold;
  }

  get palette() {
    return this.facts.palettes[this.state.palette ? 1 : 0];
  }

  // What a case was scored, by the metric that the queue is sorted by: of the first run, and nothing where it would
  // tell which run is which, or where the reviewer wants no ground truth.
  scoreOf(one) {
    if (this.run !== 0 || this.state.blind) return null;
    const metric = this.facts.metrics.find(({ name }) => name === (this.navigation.metric || "dice"));
    const ofTruth = !metric?.guess; // the model's own guess is made without ground truth
    if (ofTruth && (this.panels.truthHidden || this.editor.hidesScores(one.case_id))) return null;
    const value = metric && one.scores[metric.name];
    const { title, digits } = metric ?? {};
    return value === undefined || value === null ? null : { title: heard(title), digits, value, ofTruth };
  }

  // The verdicts of this reviewer on the run that is shown, or on that of another place.
  given(place = this.run) {
    return standing(this.records.filter((one) => this.isOn(one, place)), this.reviewer);
  }

  isOn(record, place) {
    return isOn(record, this.facts.runs[place].run, this.predictions.get(record.case_id)?.[place]);
  }

  build() {
    this.root.classList.add("vesselkit-review");
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "application");
    put(this.root, "lang", new Said(() => ({ en: "en", zh: "zh-CN" })[languageNow()]));
    put(this.root, "ariaLabel", say("Review of a run. Press ? for the keys."));
    this.pictures = new Pictures(this.beside.map(({ name }) => name));
    this.thumbnails = new Thumbnails(this);
    this.editor = new Editor(this);
    this.header = new Header(this);
    this.navigation = new Navigation(this);
    this.panels = new Panels(this);
    this.controls = new Controls(this);
    this.judgement = new Judgement(this);
    this.help = new Help();
    const scrolled = make("div", { className: "vk-scrolled" },
      this.navigation.root, this.panels.tools, this.controls.root, this.panels.pixel);
    const side = make("div", { className: "vk-side" }, scrolled, this.judgement.root);
    this.stage = new Stage(this, this.header.root, side);
    this.root.replaceChildren(this.header.root, this.stage.body, this.help.root);
    this.stop = new AbortController();
    const { signal } = this.stop;
    this.stage.begin();
    this.editor.begin(signal);
    listenToKeys(this, signal);
  }

  takeKeys() {
    this.root.focus({ preventScroll: true });
  }

  speak(language) {
    speak(language);
    retell();
    this.navigation.show();
    this.stage.fit();
    this.draw("all");
  }

  tell(text) {
    this.judgement.tell(text);
  }

  // -- the queue ------------------------------------------------------------------------------------------------------

  arrange() {
    const here = this.case?.case_id, { value } = this.navigation.sort;
    this.queue = this.navigation.queue();
    // A new order starts at its front; a filter keeps the case at hand where it is left in.
    const kept = this.sorted === value ? this.queue.findIndex((one) => one.case_id === here) : 0;
    this.sorted = value;
    return this.show(Math.max(kept, 0));
  }

  step(count) {
    return this.show(this.place + count);
  }

  // A row of thumbnails, or a step of the threshold.
  upDown(steps) {
    if (this.thumbnails.open) this.thumbnails.step(-steps);
    else this.nudge("threshold", steps);
  }

  enlarge() {
    if (this.thumbnails.open) this.thumbnails.toggle();
    else this.panels.enlarge();
  }

  nextOpen() {
    const found = nextOpen(this.queue, this.place, this.given());
    if (found < 0) this.tell(say("Every case in the queue has a verdict."));
    else this.show(found);
  }

  frames() {
    return framesOf(this.cases, this.case);
  }

  stepFrame(count) {
    const frames = this.frames();
    const place = frames.indexOf(this.case) + count;
    if (frames[place]) this.showFrame(place);
  }

  showFrame(place) {
    const one = this.frames()[place];
    let found = this.queue.indexOf(one);
    if (found < 0) {
      // The filter leaves this frame out: it is shown all the same, in a queue of everything.
      this.queue = this.cases;
      found = this.cases.indexOf(one);
    }
    return this.show(found);
  }

  async show(place) {
    this.editor.away();
    this.place = Math.min(Math.max(place, 0), Math.max(this.queue.length - 1, 0));
    if (this.state.blind && this.case) this.useRun(this.firstBlind());
    this.judgement.recall();
    this.header.showCase(this.case);
    this.navigation.show();
    this.judgement.show();
    const ticket = ++this.asked;
    if (!this.case || this.thumbnails.open) {
      this.clear(this.case ? "" : say("no case in the queue")); // no verdict on a case that is seen as a thumbnail
      this.thumbnails.reach();
      return;
    }
    try {
      const again = this.decoded.has(this.case.case_id);
      const data = await this.decoded.of(this.case.case_id);
      const arrived = await this.editor.arrive(data);
      if (ticket !== this.asked) return;
      this.panels.take(data, this.data);
      this.data = data;
      arrived();
      this.panels.refit();
      this.takeOver();
      if (again) this.editor.refresh();
      for (const ahead of [1, -1]) {
        const next = this.queue[this.place + ahead];
        if (next) this.decoded.of(next.case_id).catch(() => {}); // told of when it is its turn
      }
    } catch (error) {
      if (ticket !== this.asked) return;
      this.clear(say("this case cannot be shown: {why}", { why: heard(error.message) }));
      const again = () => ticket === this.asked && this.show(this.place);
      error.late?.then(again, again);
    }
  }

  // Leaves nothing of the case before: no picture, score, status or pixel.
  clear(text) {
    this.data = null;
    this.panels.clear(text);
    this.controls.clear();
    this.header.clear();
  }

  // -- settings -------------------------------------------------------------------------------------------------------

  set(name, value) {
    this.state[name] = limited(name, value);
    this.draw(name === "divide" ? "view" : name === "threshold" ? "mask" : "all");
  }

  nudge(name, steps) {
    this.set(name, nudged(name, this.state[name], steps));
  }

  toggle(name) {
    if (name === "blind" && this.isCorrecting()) return;
    this.state[name] = !this.state[name];
    if (name === "blind") {
      this.showRun(this.state.blind && this.case ? this.firstBlind() : 0);
      this.panels.change();
    }
    this.draw("all");
  }

  // Whether a mask is in hand, which is told: it is of the run that is shown.
  isCorrecting() {
    if (!this.editor.edit) return false;
    this.draw("all");
    this.tell(say("You correct a mask of this run: leave with E first."));
    return true;
  }

  blindly() {
    if (this.facts.runs.length < 2) this.tell(say("Blind A/B takes two runs: this review has one."));
    else this.toggle("blind");
  }

  reset() {
    Object.assign(this.state, DEFAULTS, { threshold: this.shownRun.threshold, blind: this.state.blind });
    this.draw("all");
  }

  hide(hidden) {
    this.hidden = hidden;
    this.draw("all");
  }

  firstBlind() {
    return firstBlind(this.facts.run, this.case.case_id);
  }

  otherRun() {
    if (this.facts.runs.length < 2) this.tell(say("This review has one run: there is no other to show."));
    else if (!this.isCorrecting()) this.showRun((this.run + 1) % this.facts.runs.length);
  }

  // Who looks at a run's own mask sees the other one's own mask too.
  useRun(run) {
    const { own } = this;
    this.run = run;
    if (own) this.state.threshold = this.shownRun.threshold;
  }

  showRun(run) {
    this.useRun(run);
    this.judgement.recall();
    this.judgement.show();
    if (this.data) this.takeOver();
  }

  // -- drawing --------------------------------------------------------------------------------------------------------

  // What changes with the case or the run, but not with a slider.
  takeOver() {
    this.pictures.take(this.data);
    this.showPrediction();
    this.panels.showPixel();
    this.draw("all");
  }

  showPrediction() {
    this.header.showPrediction(this.case && this.run === this.firstBlind() ? "A" : "B");
    this.header.showCorrection();
  }

  // Correcting begins or ends, or the correction that stands is another one.
  showCorrection() {
    this.panels.change();
    this.panels.showPixel();
    this.showPrediction();
    this.judgement.show();
  }

  // One drawing a frame of the screen, however many events there are. With `mask` the original and the truth keep their
  // pictures.
  draw(what) {
    const waiting = this.wanted !== undefined;
    this.wanted = RANKS[Math.max(RANKS.indexOf(what), RANKS.indexOf(this.wanted))];
    if (waiting) return;
    requestAnimationFrame(() => {
      const wanted = this.wanted;
      this.wanted = undefined;
      if (!this.data) return;
      const start = performance.now();
      if (wanted !== "view") this.compose(wanted === "all");
      this.editor.paint(wanted !== "view");
      this.panels.blit(wanted === "mask" ? 2 : 0);
      const detail = { milliseconds: performance.now() - start, what: wanted, case_id: this.data.case_id };
      this.root.dispatchEvent(new CustomEvent("vesselkit:drawn", { detail }));
    });
  }

  compose(all) {
    const { data, state, prediction, own, hidden, palette } = this, there = prediction.stored !== null;
    const beside = data.predictions.slice(this.facts.runs.length);
    this.pictures.compose({ prediction, beside, own, state, palette, hidden }, all);
    const { truthHidden } = this.panels, scores = truthHidden ? {} : this.pictures.scores(there);
    if (data.truth && !truthHidden) this.editor.truth.see(data.case_id);
    this.panels.describe(prediction, beside, scores.dice);
    this.panels.showLegend(palette, there);
    this.controls.showScores(scores);
    this.controls.show(own, there);
  }

  close() {
    this.navigation.stop();
    this.stop.abort();
    this.panels.close();
    this.stage.close();
  }
}
