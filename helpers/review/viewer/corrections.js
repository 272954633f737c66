// Records of corrections: which stand, what one says, and which lines of a file are some. No function needs a page.

import { NAME, momentOf, newId, recordsOf, timeAfter } from "./verdicts.js";

const SCHEMA = "vesselkit.drawn-correction";
const DRAWN_WITH = ["brush", "eraser", "piece", "threshold", "clicks", "elsewhere"];
const BEGUN_FROM = ["prediction", "truth", "empty", "carried"];
const PAUSE_MS = 60_000; // a longer time without a move counts as this much

// Case id -> the correction of a reviewer that stands: the last, unless it takes the correction back.
export function corrected(records, reviewer) {
  const found = new Map();
  for (const one of recordsOf(records, reviewer)) found.set(one.case_id, one);
  for (const [caseId, one] of found) if (one.mask === null) found.delete(caseId);
  return found;
}

// Of each reviewer and case the last record alone, for a place that has little room.
export function latestOnly(records) {
  const found = new Map(), ordered = [...records].sort((a, b) => momentOf(a.time) - momentOf(b.time));
  for (const one of ordered) found.set(`${one.reviewer} ${one.case_id}`, one);
  return [...found.values()];
}

// Ids of a reviewer's records of a case, in order of time.
export function idsOf(records, reviewer, caseId) {
  return recordsOf(records, reviewer).filter((one) => one.case_id === caseId).map((one) => one.id);
}

// Whether a record would replace one of `there` that its page did not know: null where it does not say, as of pages of
// earlier versions.
export function replacesUnseen({ id, reviewer, case_id: caseId, continues }, there) {
  const last = idsOf(there, reviewer, caseId).at(-1);
  if (last === undefined || last === id) return false;
  return continues === undefined ? null : !continues.includes(last);
}

// The record of a file as it joins `there`: null where it would replace a correction that its page did not know. One that
// the reviewer took back outdates none that another page drew: what is drawn stands from now on.
export function joined(one, there, now = new Date()) {
  const records = recordsOf(there, one.reviewer).filter((each) => each.case_id === one.case_id), last = records.at(-1);
  if (last && last.mask !== null && replacesUnseen(one, there)) return null;
  const knows = (each) => one.continues?.includes(each.id) === true;
  const rival = one.mask === null ? last : records.filter((each) => each.mask !== null).at(-1);
  const outdated = rival && momentOf(rival.time) >= momentOf(one.time) && !knows(rival);
  if (!last || outdated || momentOf(last.time) < momentOf(one.time)) return one;
  return { ...one, time: timeAfter([last], now) };
}

const once = (...lists) => [...new Set(lists.flatMap((one) => one ?? []).filter((one) => one !== null))];

// A record to be kept. `after`: records so far; `before`: that which it goes on with, or null; `spent`: milliseconds;
// `asked`: fingerprint of the model that answered clicks; `knew`: ids of the records of the case that the reviewer could
// see; `runs`: those whose logits can be on the screen.
export function drawnCorrection(
  { reviewer, data, base, mask, before, spent, tools, truthSeen, asked, knew, runs }, after,
) {
  const shown = tools.includes("threshold") ? runs : [];
  const unseen = data.drawn_first === true && (before === null || before.prediction_seen === false);
  const earlier = before === null ? 0 : before.seconds, seen = before === null ? false : before.truth_seen;
  return {
    schema: SCHEMA, schema_version: 1, id: newId(), time: timeAfter(recordsOf(after, reviewer)), reviewer,
    case_id: data.case_id, image_sha256: data.image_sha256, width: data.width, height: data.height, base,
    seconds: earlier === null ? null : Number((earlier + spent / 1000).toFixed(1)),
    tools: once(before?.tools, tools), truth_seen: either(truthSeen, seen), mask, continues: [...knew],
    click_weights: once(before?.click_weights, tools.includes("clicks") ? [asked] : []),
    further_configs: once(before?.further_configs, shown.map((one) => one.config)),
    further_weights: once(before?.further_weights, shown.map((one) => one.weights)),
    ...(unseen ? { prediction_seen: false } : {}),
  };
}

// A record that takes another one back. `knew`: as of a drawn one.
export function takenBack(record, knew, after) {
  const { reviewer, case_id, image_sha256, width, height, base } = record;
  return {
    schema: SCHEMA, schema_version: 1, id: newId(), time: timeAfter(recordsOf(after, reviewer)), reviewer, case_id,
    image_sha256, width, height, base, seconds: null, tools: [], truth_seen: null, mask: null,
    continues: [...knew],
  };
}

// True where one of two is, and unknown (null) where that cannot be ruled out.
export function either(one, other) {
  if (one === true || other === true) return true;
  return one === null || other === null ? null : false;
}

// Whether a parsed line is a record by the rules of `DrawnCorrection.from_json`, but for what its mask holds.
export function isDrawn(one) {
  const { base, mask, seconds, truth_seen: seen, continues = [] } = one, texts = ["id", "time", "case_id", "image_sha256"];
  return one.schema === SCHEMA && one.schema_version === 1 && texts.every((name) => typeof one[name] === "string") &&
    typeof one.reviewer === "string" && NAME.test(one.reviewer) && !Number.isNaN(momentOf(one.time)) &&
    [one.width, one.height].every((side) => Number.isInteger(side) && side > 0) &&
    BEGUN_FROM.includes(base?.began_from) && (mask === null || typeof mask === "string") &&
    Array.isArray(one.tools) && one.tools.every((tool) => DRAWN_WITH.includes(tool)) &&
    Array.isArray(continues) && continues.every((id) => typeof id === "string") &&
    (seconds === null || (typeof seconds === "number" && seconds >= 0)) && (seen === null || typeof seen === "boolean");
}

// Whether it is of a case of the review, and began from no other run's prediction.
export function isOfReview(one, facts) {
  const { began_from, config, prompt } = one.base;
  return facts.cases.some((each) => each.case_id === one.case_id) &&
    (began_from !== "prediction" || (config === facts.config && prompt === facts.prompt));
}

// Of the time since the last move, what counts as work.
export function worked(milliseconds) {
  return Math.min(Math.max(milliseconds, 0), PAUSE_MS);
}
