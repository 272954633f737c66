// Where the viewer stands: in a notebook, with a kernel that answers, or on a page on the disk.

import { latestOnly, replacesUnseen } from "./corrections.js";
import { make } from "./elements.js";
import { isShortcut } from "./keys.js";
import { Shelf } from "./shelf.js";
import { Viewer } from "./view.js";
import { OTHER_WINDOW, say } from "./words.js";

const PATIENCE_MS = 20_000;

export default {
  render({ model, el }) {
    const waiting = new Map();
    let last = 0;
    // `heard`: of what the kernel says while it is at work.
    const ask = (kind, values, heard = () => {}) => {
      const ticket = ++last;
      const answer = new Promise((done, failed) => waiting.set(ticket, { done, failed, heard }));
      model.send({ ticket, kind, ...values });
      return answer;
    };
    // A kernel that runs other cells answers once they end: what comes late is not lost.
    const patiently = (kind, values, heard = () => {}) => new Promise((done, failed) => {
      let timer;
      const silent = () => {
        const error = new Error("the kernel does not answer. Is it busy, or was it restarted?");
        failed(Object.assign(error, { late: answer }));
      };
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(silent, PATIENCE_MS);
      };
      const answer = ask(kind, values, (...said) => {
        wait();
        heard(...said);
      });
      wait();
      answer.then(done, failed).finally(() => clearTimeout(timer));
    });
    const answered = ({ ticket, error, progress, ...values }) => {
      const found = waiting.get(ticket);
      if (!found) return;
      if (progress) return void found.heard(...progress);
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
      load: async (caseId) => (await patiently("load", { case_id: caseId })).payload,
      save: async (record) => { // waits for as long as it takes: what the kernel has been sent, it may yet keep
        await ask("save", { record });
        facts.verdicts.push(record); // for a second view of this widget
      },
      correct: async (drawn) => {
        facts.waiting = (await ask("correct", { drawn })).waiting ?? facts.waiting;
        facts.corrections.push(drawn);
      },
      standing: (caseId) => patiently("standing", { case_id: caseId }),
      click: (asked) => patiently("click", asked),
      carry: (caseId, heard) => patiently("carry", { case_id: caseId }, heard),
      dismiss: async (caseId) => (await ask("dismiss", { case_id: caseId })).waiting,
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
  const before = new Shelf(`vesselkit-review-${facts.run}-${facts.prompt}`);
  const verdicts = new Shelf(`vesselkit-review-${facts.config}-${facts.prompt}`);
  const drawn = new Shelf(`vesselkit-corrections-${facts.config}-${facts.prompt}`, latestOnly);
  const known = new Set([...facts.verdicts, ...facts.corrections].map((one) => one.id));
  const others = (...shelves) => shelves.flatMap(({ records }) => records).filter((one) => !known.has(one.id));
  facts.verdicts = [...facts.verdicts, ...others(before, verdicts)];
  facts.corrections = [...facts.corrections, ...others(drawn)];
  const standing = (caseId) => ({ corrections: drawn.records.filter((one) => one.case_id === caseId) });
  const viewer = new Viewer(root, facts, {
    reviewer: null,
    keysFrom: document,
    load: async (caseId) => {
      const at = place.get(caseId);
      const payload = await (facts.folder === null ? inPage(at) : inFolder(facts.folder, at));
      return { ...payload, ...standing(caseId) };
    },
    standing: async (caseId) => standing(caseId),
    save: async (record) => {
      verdicts.add(record);
      drawn.lay();
    },
    // `known`: what it replaces was looked at by who calls.
    correct: async (record, known = false) => {
      if (!known && replacesUnseen(record, drawn.records)) throw new Error(OTHER_WINDOW.replace("{case}", record.case_id));
      drawn.add(record);
      verdicts.lay();
    },
    unkept: () => [...verdicts.waiting, ...drawn.waiting],
  });
  root.focus({ preventScroll: true });
  return viewer;
}

async function inPage(place) {
  return JSON.parse(document.getElementById(`vesselkit-case-${place}`).textContent);
}

// A page of its own hands its case over and goes: scripts would stay in the memory for as long as the review is open.
function inFolder(folder, place) {
  return new Promise((done, failed) => {
    const frame = make("iframe", { src: `${folder}/${place}.html`, hidden: true, title: say("a case") });
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
