// Where the viewer stands: in a notebook, with a kernel that answers, or on a page on the disk.

import { latestOnly } from "./corrections.js";
import { make } from "./elements.js";
import { isShortcut } from "./keys.js";
import { Viewer } from "./view.js";

const PATIENCE_MS = 20_000;

export default {
  render({ model, el }) {
    const waiting = new Map();
    let last = 0;
    const ask = (kind, values) => {
      const ticket = ++last;
      const answer = new Promise((done, failed) => waiting.set(ticket, { done, failed }));
      model.send({ ticket, kind, ...values });
      return answer;
    };
    // A kernel that runs other cells answers once they end: what comes late is not lost.
    const patiently = (answer) => {
      const silence = new Promise((_, failed) => setTimeout(() => {
        const error = new Error("the kernel does not answer. Is it busy, or was it restarted?");
        failed(Object.assign(error, { late: answer }));
      }, PATIENCE_MS));
      return Promise.race([answer, silence]);
    };
    const answered = ({ ticket, error, ...values }) => {
      const found = waiting.get(ticket);
      if (!found) return;
      waiting.delete(ticket);
      if (error) found.failed(new Error(error));
      else found.done(values);
    };
    model.on("msg:custom", answered);
    const root = document.createElement("div");
    el.append(root);
    const facts = model.get("facts");
    const viewer = new Viewer(root, facts, {
      reviewer: model.get("reviewer"),
      load: async (caseId) => (await patiently(ask("load", { case_id: caseId }))).payload,
      save: async (record) => { // waits for as long as it takes: what the kernel has been sent, it may yet keep
        await ask("save", { record });
        facts.verdicts.push(record); // for a second view of this widget
      },
      correct: async (drawn) => {
        facts.waiting = (await ask("correct", { drawn })).waiting ?? facts.waiting;
        facts.corrections.push(drawn);
      },
      click: (asked) => ask("click", asked),
      carry: (caseId) => ask("carry", { case_id: caseId }),
    });
    // JupyterLab looks at each key before its target does. Shortcuts reach it, such as the one that saves; of its other
    // keys none does, such as d d, which deletes a cell.
    const keys = new AbortController();
    const sift = (event) => root.toggleAttribute("data-lm-suppress-shortcuts", !isShortcut(event));
    addEventListener("keydown", sift, { capture: true, signal: keys.signal });
    // Where nothing else has the keys, as on a page of Voila's, they need no click first.
    const shown = new ResizeObserver(() => {
      if (root.offsetWidth === 0) return;
      shown.disconnect();
      if (document.activeElement === document.body) root.focus({ preventScroll: true });
    });
    shown.observe(root);
    return () => {
      shown.disconnect();
      keys.abort();
      model.off("msg:custom", answered);
      viewer.close();
    };
  },
};

// The page: every case lies in a script of JSON, or in a page of its own.
export function openPage(root) {
  const facts = JSON.parse(document.getElementById("vesselkit-facts").textContent);
  const place = new Map(facts.cases.map((one, index) => [one.case_id, index]));
  // The shelf outlives a run that was predicted again in part. Earlier versions had one for each state of the run.
  const shelf = `vesselkit-review-${facts.config}-${facts.prompt}`;
  const before = shelved(`vesselkit-review-${facts.run}-${facts.prompt}`);
  const known = new Set(facts.verdicts.map((one) => one.id));
  facts.verdicts = [...facts.verdicts, ...[...before, ...shelved(shelf)].filter((one) => !known.has(one.id))];
  const drawn = `vesselkit-corrections-${facts.config}-${facts.prompt}`;
  const there = new Set(facts.corrections.map((one) => one.id));
  facts.corrections = [...facts.corrections, ...shelved(drawn).filter((one) => !there.has(one.id))];
  const viewer = new Viewer(root, facts, {
    reviewer: null,
    keysFrom: document,
    load: (caseId) => (facts.folder === null ? inPage(place.get(caseId)) : inFolder(facts.folder, place.get(caseId))),
    save: async (record) => shelve(shelf, [...shelved(shelf), record]),
    correct: async (record) => shelve(drawn, latestOnly([...shelved(drawn), record])),
  });
  root.focus({ preventScroll: true });
  return viewer;
}

function shelve(shelf, records) {
  try {
    localStorage.setItem(shelf, JSON.stringify(records));
  } catch {
    // A browser may refuse; the records then live until the page is closed, which the reader is warned of.
    addEventListener("beforeunload", warned);
  }
}

function warned(event) {
  event.preventDefault();
}

function shelved(shelf) {
  try {
    return JSON.parse(localStorage.getItem(shelf) ?? "[]");
  } catch {
    return [];
  }
}

async function inPage(place) {
  return JSON.parse(document.getElementById(`vesselkit-case-${place}`).textContent);
}

// A page of its own hands its case over and goes: scripts would stay in the memory for as long as the review is open.
function inFolder(folder, place) {
  return new Promise((done, failed) => {
    const frame = make("iframe", { src: `${folder}/${place}.html`, hidden: true, title: "a case" });
    const waited = new AbortController();
    const end = () => {
      waited.abort();
      frame.remove();
    };
    const heard = (event) => {
      if (event.source !== frame.contentWindow) return;
      end();
      done(JSON.parse(event.data));
    };
    addEventListener("message", heard, { signal: waited.signal });
    const missing = () => {
      if (waited.signal.aborted) return;
      end();
      failed(new Error(`its file in the folder ${folder} is missing. Copy it back`));
    };
    // What a page says to another arrives after it is loaded, but soon; one that is not there says nothing.
    frame.addEventListener("load", () => setTimeout(missing, 3000), { signal: waited.signal });
    frame.sandbox = "allow-scripts";
    document.body.append(frame);
  });
}
