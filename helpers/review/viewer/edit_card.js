// What stands in the place of the verdicts while a mask is corrected: tools, the size of the brush, and what is kept.

import { button, label, make, put } from "./elements.js";
import { say } from "./words.js";

const TOOL_TEXTS = {
  brush: "Brush (b)", eraser: "Eraser (e)", remove: "Remove piece (x)", keep: "Keep piece (k)", take: "Take in (t)",
  point: "Point, box (P)", beside: "Background point (N)",
};
const BEGINNINGS = {
  carried: "carried mask", correction: "your correction", prediction: "prediction", truth: "ground truth", empty: "empty mask",
};

export class EditCard {
  constructor(editor) {
    this.editor = editor;
    this.tools = Object.entries(TOOL_TEXTS).map(([tool, text]) =>
      button(say(text), () => editor.tools.choose(tool), { className: "vk-tag", dataset: { tool } }));
    this.from = make("select", {
      dataset: { control: "beginning" }, onchange: () => editor.beginFrom(this.from.value), title: say("next one: f"),
    });
    this.size = make("output", { dataset: { edit: "size" } });
    this.level = make("output", { dataset: { edit: "level" } });
    this.truth = button(say("Truth (T)"), () => editor.showTruth());
    this.back = button(say("Take back (X)"), () => editor.takeBack());
    this.undo = button(say("Undo (z)"), () => editor.turn(true));
    this.redo = button(say("Redo (Z)"), () => editor.turn(false));
    const step = (text, name, act) => button(text, act, { ariaLabel: name, title: name });
    const field = (text, value, name, keys, act) => make("div", { className: "vk-line" },
      make("span", { className: "vk-word", textContent: text }),
      step("−", say("{name} less ({key})", { name, key: keys[0] }), () => act(-1)),
      value, step("+", say("{name} more ({key})", { name, key: keys[1] }), () => act(1)));
    this.clicks = make("p", { className: "vk-hint", textContent: editor.tools.clicks.refusal });
    const { carrying } = editor;
    this.carry = button(say("Carry (F)"), () => carrying.carry(), {
      title: say("to the other frames of the sequence"),
    });
    this.dismiss = button(say("Dismiss (D)"), () => carrying.dismiss(), {
      title: say("the carried mask: it waits no more"),
    });
    this.progress = make("progress", { hidden: true, ariaLabel: say("frames carried") });
    this.stale = make("p", { className: "vk-hint vk-warns", hidden: true });
    this.other = button(say("Next mask (M)"), () => editor.tools.clicks.next());
    this.root = make(
      "div", { className: "vk-editing", hidden: true },
      label(say("Begin from"), this.from), this.stale,
      make("div", { className: "vk-tags" }, ...this.tools, this.other), this.clicks,
      field(say("Size"), this.size, say("size of the brush"), "[]", (steps) => editor.tools.resize(steps)),
      this.levelLine = field(say("Take in above"), this.level, say("threshold"), "↓↑", (steps) => editor.tools.relevel(steps)),
      make("div", { className: "vk-line" }, this.undo, this.redo, this.truth, this.dismiss),
      make("div", { className: "vk-line" },
        button(say("Save (s)"), () => editor.save(), { className: "vk-verdict vk-save", dataset: { edit: "save" } }),
        this.back, this.carry, button(say("Leave (E)"), () => editor.toggle())),
      this.progress,
    );
  }

  // How many frames were carried; null takes it off.
  showProgress(found) {
    this.progress.hidden = found === null;
    if (found) Object.assign(this.progress, { max: found.total, value: found.done });
  }

  show() {
    const { editor } = this, { edit, tools, viewer } = editor;
    this.root.hidden = edit === null;
    viewer.judgement?.turn(edit === null);
    if (edit === null) return;
    for (const one of this.tools) {
      one.ariaPressed = String(one.dataset.tool === tools.name);
      one.hidden = tools.asks(one.dataset.tool) && tools.clicks.refusal !== "";
    }
    this.clicks.hidden = tools.clicks.refusal === "";
    this.other.hidden = (tools.clicks.last?.masks.length ?? 0) < 2;
    const names = [...(editor.own ? ["correction"] : []), ...Object.keys(viewer.data.bases)];
    if (!names.includes(edit.beginning.name)) names.unshift(edit.beginning.name);
    if (names.join() !== Array.from(this.from.options, ({ value }) => value).join()) {
      this.from.replaceChildren(...names.map((name) => make("option", { value: name, textContent: say(BEGINNINGS[name]) })));
    }
    this.from.value = edit.beginning.name;
    this.from.disabled = edit.strokes.done.length > 0;
    this.size.textContent = `${tools.size} px`;
    this.level.textContent = tools.level.toFixed(3);
    this.levelLine.hidden = tools.name !== "take";
    this.undo.disabled = edit.strokes.done.length === 0;
    this.redo.disabled = edit.strokes.undone.length === 0;
    this.truth.hidden = viewer.data.truth === null;
    this.truth.ariaPressed = String(edit.truthShown);
    this.back.disabled = editor.own === null;
    const stale = edit.strokes.changed && edit.isStale(viewer.data);
    this.stale.hidden = !stale;
    put(this.stale, "textContent", stale ? say("The {mask} is another one now. Save keeps your strokes on the one that " +
      "they began from, which the record names.", { mask: say(BEGINNINGS[edit.beginning.name]) }) : "");
    this.dismiss.hidden = !viewer.data.carried;
    this.carry.hidden = tools.clicks.refusal !== "" || viewer.frames().length < 2;
    this.carry.disabled = editor.own === null || edit.strokes.changed;
  }
}
