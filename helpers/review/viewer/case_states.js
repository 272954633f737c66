// How a case stands to the reviewer's corrections, and what its chip says of it.

import { say } from "./words.js";

const WORDS = {
  unsaved: "unsaved", corrected: "corrected", drawFirst: "draw from empty first", carried: "carried: look",
};

// The state of a case, a name of `WORDS`; empty for none. Blind, nothing may tell.
export function stateOf({ editor, facts, state }, caseId) {
  if (state.blind) return "";
  if (editor.isUnsaved(caseId)) return "unsaved";
  if (editor.corrected.has(caseId)) return "corrected";
  if (editor.drawsFirst(caseId)) return "drawFirst";
  return facts.waiting.includes(caseId) ? "carried" : "";
}

// What is to be said of a case, in a word; empty for nothing.
export function wordOf(viewer, caseId) {
  const state = stateOf(viewer, caseId), { editor, host } = viewer;
  if (state === "corrected" && host.unkept?.().includes(editor.corrected.get(caseId))) {
    return say("corrected, to be downloaded");
  }
  return state === "" ? "" : say(WORDS[state]);
}
