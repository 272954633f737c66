// The keys, what they do, and the list of them that `?` shows.

import { make } from "./elements.js";
import { say } from "./words.js";

// key, what `event.key` is, what it does. One table for the handler and for the list that `?` shows.
const KEYS = [
  ["Cases", [
    ["→ or n", ["ArrowRight", "n"], "next case", (v) => v.step(1)],
    ["← or p", ["ArrowLeft", "p"], "previous case", (v) => v.step(-1)],
    ["Home, End", ["Home", "End"], "first, last case", (v, key) => v.step(key === "Home" ? -Infinity : Infinity)],
    ["u", ["u"], "next case without a verdict", (v) => v.nextOpen()],
    [", and .", [",", "."], "frame before, after in the sequence", (v, key) => v.stepFrame(key === "." ? 1 : -1)],
    ["y", ["y"], "play the sequence, stop", (v) => v.navigation.play()],
    ["G", ["G"], "thumbnails of all cases; Enter opens one", (v) => v.thumbnails.toggle()],
    ["g", ["g"], "sort and filters (Tab: next, Esc leaves)", (v) => v.navigation.focus()],
  ]],
  ["Verdict", [
    ["a", ["a"], "accept", (v) => v.judgement.give("accept")],
    ["f", ["f"], "to be fixed", (v) => v.judgement.give("fix")],
    ["r", ["r"], "reject", (v) => v.judgement.give("reject")],
    ["2 … 9", ["2", "3", "4", "5", "6", "7", "8", "9"], "reason tag 2 … 9 on, off",
      (v, key) => v.judgement.tag(Number(key) - 2)],
    ["e", ["e"], "write a note (Esc leaves it)", (v) => v.judgement.note.focus()],
    ["z", ["z"], "take the last verdict back", (v) => v.judgement.undo()],
    ["E", ["E"], "correct the mask, leave correcting", (v) => v.editor.toggle()],
  ]],
  ["Mask", [
    ["↑ and ↓", ["ArrowUp", "ArrowDown"], "threshold up, down", (v, key) => v.upDown(key === "ArrowUp" ? 1 : -1)],
    ["t", ["t"], "the run's own threshold", (v) => v.set("threshold", v.shownRun.threshold)],
    ["o and O", ["o", "O"], "more, less opaque", (v, key) => v.nudge("opacity", key === "o" ? 1 : -1)],
    ["c", ["c"], "contours only", (v) => v.toggle("contour")],
    ["d and D", ["d", "D"], "contours wider, thinner", (v, key) => v.nudge("width", key === "d" ? 1 : -1)],
    ["m", ["m"], "map of errors on black", (v) => v.toggle("map")],
    ["k", ["k"], "centreline that was missed", (v) => v.toggle("centreline")],
    ["v", ["v"], "other colours", (v) => v.toggle("palette")],
    ["s", ["s"], "swipe: truth | prediction", (v) => v.toggle("swipe")],
    ["[ and ]", ["[", "]"], "line of the swipe left, right", (v, key) => v.nudge("divide", key === "]" ? 4 : -4)],
    ["Space", [" "], "hold: hide all colours", (v) => v.hide(true)],
    ["b", ["b"], "the other run", (v) => v.otherRun()],
    ["x", ["x"], "blind A/B, with two runs", (v) => v.blindly()],
  ]],
  ["Picture", [
    ["Enter", ["Enter"], "one panel over all the room, and back", (v) => v.enlarge()],
    ["Shift + 1 … 9", ["Shift+1", "Shift+2", "Shift+3", "Shift+4", "Shift+5", "Shift+6", "Shift+7", "Shift+8",
      "Shift+9"], "panel 1 … 9 on, off", (v, key) => v.panels.turn(Number(key.at(-1)) - 1)],
    ["w and W", ["w", "W"], "window wider, narrower", (v, key) => v.nudge("window", key === "w" ? 4 : -4)],
    ["l and L", ["l", "L"], "level up, down", (v, key) => v.nudge("level", key === "l" ? 4 : -4)],
    ["i", ["i"], "invert", (v) => v.toggle("invert")],
    ["q", ["q"], "all settings of mask and picture back", (v) => v.reset()],
    ["+ and −", ["+", "=", "-"], "zoom in, out", (v, key) => v.panels.zoomBy(key === "-" ? 1 / 1.25 : 1.25)],
    ["h and H", ["h", "H"], "move left, right", (v, key) => v.panels.pan(key === "h" ? -1 : 1, 0)],
    ["j and J", ["j", "J"], "move down, up", (v, key) => v.panels.pan(0, key === "j" ? 1 : -1)],
    ["0", ["0"], "fit", (v) => v.panels.fit()],
    ["1", ["1"], "one pixel to one", (v) => v.panels.actualSize()],
  ]],
  ["Help", [
    ["?", ["?"], "these keys, on and off", (v) => v.help.toggle()],
  ]],
];
// While a mask is corrected these come before those above.
const EDIT_KEYS = [
  ["b", ["b"], "brush", (e) => e.tools.choose("brush")],
  ["e", ["e"], "eraser", (e) => e.tools.choose("eraser")],
  ["x", ["x"], "remove the piece that is clicked", (e) => e.tools.choose("remove")],
  ["k", ["k"], "keep that piece alone", (e) => e.tools.choose("keep")],
  ["t", ["t"], "take in pixels of a lower threshold", (e) => e.tools.choose("take")],
  ["P", ["P"], "point on the vessel for the model; dragged, a box", (e) => e.tools.choose("point")],
  ["N", ["N"], "background point", (e) => e.tools.choose("beside")],
  ["M", ["M"], "next of the masks of a first point", (e) => e.tools.clicks.next()],
  ["↑ and ↓", ["ArrowUp", "ArrowDown"], "that threshold up, down",
    (e, key) => e.tools.relevel(key === "ArrowUp" ? 1 : -1)],
  ["[ and ]", ["[", "]"], "brush smaller, larger", (e, key) => e.tools.resize(key === "]" ? 1 : -1)],
  ["z", ["z"], "undo", (e) => e.turn(true)],
  ["Z or y", ["Z", "y"], "do again", (e) => e.turn(false)],
  ["v", ["v"], "hold: the mask before", (e) => e.showBefore(true)],
  ["f", ["f"], "begin from another mask", (e) => e.beginFrom()],
  ["T", ["T"], "ground truth and scores, on and off", (e) => e.showTruth()],
  ["s", ["s"], "save the correction", (e) => e.save()],
  ["F", ["F"], "carry the saved correction through the sequence", (e) => e.carrying.carry()],
  ["D", ["D"], "dismiss the carried mask: it waits no more", (e) => e.carrying.dismiss()],
  ["X", ["X"], "take the saved correction back", (e) => e.takeBack()],
  ["a, r, 2 … 9", ["a", "r", "2", "3", "4", "5", "6", "7", "8", "9"], "no verdict meanwhile: E leaves",
    (e) => e.viewer.tell(say("You correct a mask: leave with E to give a verdict."))],
];
const BY_EDIT_KEY = new Map(EDIT_KEYS.flatMap(([, keys, , act]) => keys.map((key) => [key, act])));
const BY_KEY = new Map(KEYS.flatMap(([, rows]) => rows.flatMap(([, keys, , act]) => keys.map((key) => [key, act]))));

// Not again while they are held.
const ONCE = new Set(["a", "f", "r", "z", " ", "y", "G", "Enter", "E"]), EDIT_ONCE = new Set(["f", "F", "D", "s", "v", "T", "X"]);
const FIELDS = "select, textarea, input:not([type=range]):not([type=checkbox])";

// A digit with Shift is another sign on each keyboard: where that sign means nothing here, the digit's place counts.
function nameOf({ key, code, shiftKey }) {
  const digit = /^Digit([1-9])$/.exec(code)?.[1];
  return shiftKey && digit && !BY_KEY.has(key) ? `Shift+${digit}` : key;
}

// Whether a key belongs to the element that has the focus: what is typed into a field never judges.
function isTaken(target, key) {
  const typing = target.matches?.(FIELDS);
  const sliding = target.matches?.("input[type=range]") && /^(Arrow|Home|End)/.test(key);
  const pressing = target.matches?.("button, summary, input[type=checkbox]") && (key === " " || key === "Enter");
  return typing || sliding || pressing;
}

// Whether a key is one for the browser or JupyterLab around the viewer: with Ctrl, Cmd or Alt, or Shift + Enter, which
// runs the cell. AltGr, which says Ctrl and Alt too, types a sign.
export function isShortcut(event) {
  const held = event.ctrlKey || event.metaKey || event.altKey;
  return (held && !event.getModifierState("AltGraph")) || (event.shiftKey && event.key === "Enter");
}

export function listenToKeys(viewer, signal) {
  const { root } = viewer, keys = viewer.host.keysFrom ?? root;
  keys.addEventListener("keydown", (event) => pressed(viewer, event), { signal });
  keys.addEventListener("keyup", ({ key }) => {
    if (key === " " && viewer.hidden) viewer.hide(false);
    if (key === "v") viewer.editor.showBefore(false);
  }, { signal });
  // A button that was clicked gives the keys back; one that was reached by Tab keeps them.
  root.addEventListener("click", (event) => {
    if (event.detail > 0 && event.target.closest("button, summary")) viewer.takeKeys();
  }, { signal });
  root.addEventListener("focusout", () => {
    if (viewer.hidden) viewer.hide(false);
    viewer.editor.showBefore(false);
  }, { signal });
}

function pressed(viewer, event) {
  const { target } = event, key = nameOf(event);
  if (isShortcut(event)) return;
  if (key === "Escape") {
    const left = !viewer.help.root.hidden || target.matches?.(FIELDS);
    viewer.help.root.hidden = true;
    viewer.takeKeys();
    if (!left && viewer.thumbnails.open) viewer.thumbnails.toggle();
    else if (!left && viewer.editor.edit) viewer.editor.leave();
    return;
  }
  const of = viewer.editor.edit && BY_EDIT_KEY.has(key) ? viewer.editor : viewer;
  const act = of === viewer ? BY_KEY.get(key) : BY_EDIT_KEY.get(key);
  if (isTaken(target, key) || !act) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.repeat && (of === viewer ? ONCE : EDIT_ONCE).has(key)) return;
  act(of, key);
  viewer.stage.reveal();
}

export class Help {
  constructor() {
    this.root = make("div", { className: "vk-help", hidden: true, role: "dialog", ariaLabel: say("Keys") });
    for (const [title, rows] of [...KEYS.slice(0, -1), ["While correcting", EDIT_KEYS], ...KEYS.slice(-1)]) {
      const list = make("dl", {});
      const row = ([keys, , does]) => [make("dt", { textContent: say(keys) }), make("dd", { textContent: say(does) })];
      list.append(...rows.flatMap(row));
      this.root.append(make("div", {}, make("h3", { textContent: say(title) }), list));
    }
    this.root.append(
      make("p", { textContent: say("Wheel: zoom. Drag: move. Double click: one panel over all the room, and back.") }),
      make("p", { textContent: say("While correcting: Shift + wheel: size of the brush. Drag with another button: move.") }),
      make("p", { textContent: say("Esc closes this list and the thumbnails, leaves a field, and leaves correcting.") }),
    );
  }

  toggle() {
    this.root.hidden = !this.root.hidden;
  }
}
