// Records of verdicts: which stand, how many, and what is imported from a file. No function needs a page.

import { say } from "./words.js";

export const VERDICTS = ["accept", "fix", "reject"];
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/;

// What is wrong with a reviewer's name, in the words of the kit's own check; empty where it is a `NAME`.
export function faultOf(name) {
  if (NAME.test(name)) return "";
  if (name === "") return say("Enter your name under Reviewer first.");
  const expected =
    say("Reviewer: expected a name of letters, digits, '.', '_', '+' and '-' that begins with a letter or digit");
  if (name.length > 100) {
    return say("{expected}, of at most 100 characters, got {count}.", { expected, count: name.length });
  }
  const stray = [...name].find((one) => !/[A-Za-z0-9._+-]/.test(one)) ?? name[0];
  const sign = stray === " " ? say("a space") : `'${stray}'`;
  if (!/[A-Za-z0-9._+-]/.test(stray)) return say("{expected}, got {sign}.", { expected, sign });
  return say("{expected}, got {sign} at its beginning.", { expected, sign });
}

// The moment that a record's time names, in microseconds of the epoch; NaN where it names none: `verdicts.moment_of`.
export function momentOf(time) {
  const found =
    /^([12]\d{3})-(\d\d)-(\d\d)T((?:[01]\d|2[0-3]):[0-5]\d)(:[0-5]\d)?(?:\.(\d{1,9}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/
      .exec(time);
  if (!found || (found[6] && !found[5])) return NaN;
  const [, year, month, day, minutes, seconds = ":00", fraction = "", zone] = found;
  const date = new Date(Date.UTC(+year, +month - 1, +day));
  if (date.getUTCMonth() !== +month - 1 || date.getUTCDate() !== +day) return NaN;
  const whole = Date.parse(`${year}-${month}-${day}T${minutes}${seconds}.000${zone}`);
  return whole * 1000 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

// A reviewer's records in the order in which they were given.
export function recordsOf(records, reviewer) {
  const mine = records.filter((one) => one.reviewer === reviewer).map((one) => [momentOf(one.time), one]);
  return mine.sort(([a], [b]) => a - b).map(([, one]) => one);
}

// Case id -> the verdict of a reviewer that stands.
export function standing(records, reviewer) {
  const mine = recordsOf(records, reviewer);
  const gone = new Set(mine.map((one) => one.withdraws).filter(Boolean));
  const found = new Map();
  for (const one of mine) {
    if (one.verdict === null || gone.has(one.id)) continue;
    found.delete(one.case_id);
    found.set(one.case_id, one);
  }
  return found;
}

// The present time, but later than that of the given records: a clock may have been set back since.
export function timeAfter(records, now = new Date()) {
  const last = records.reduce((latest, one) => Math.max(latest, momentOf(one.time)), -Infinity);
  if (now.getTime() * 1000 > last) return now.toISOString();
  return new Date(Math.floor(last / 1000) + 1).toISOString();
}

// Whether a record is on what a run says of the record's case now. Records of earlier versions name the run as a whole.
export function isOn(record, run, prediction) {
  if ((record.prediction ?? null) === null) return record.run === run;
  return record.prediction === prediction;
}

export function newId() {
  const parts = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(parts, (part) => part.toString(16).padStart(2, "0")).join("");
}

// The latest of all verdicts that stand; undefined where there is none. `given`: maps as `standing` gives them.
export function latest(given) {
  const all = given.flatMap((one) => [...one.values()]);
  return all.sort((a, b) => momentOf(a.time) - momentOf(b.time)).pop();
}

// How many cases have a verdict in all of `given`, and how many the first of these rejects.
export function progressOf(cases, given) {
  const ids = new Set(cases.map((one) => one.case_id));
  const counts = ({ case_id }) => ids.has(case_id) && given.every((all) => all.has(case_id));
  const counted = [...given[0].values()].filter(counts);
  return { reviewed: counted.length, rejected: counted.filter((one) => one.verdict === "reject").length };
}

// Whether a parsed line is a record by the rules of `VerdictRecord.from_json`.
export function isRecord(one, reasons) {
  const texts = ["id", "time", "reviewer", "run", "case_id", "note"];
  const { verdict, threshold = null, withdraws = null, prediction = null } = one;
  return one.schema === "vesselkit.verdict" && one.schema_version === 1 &&
    texts.every((name) => typeof one[name] === "string") && (prediction === null || typeof prediction === "string") &&
    NAME.test(one.reviewer) && !Number.isNaN(momentOf(one.time)) &&
    Array.isArray(one.reasons) && one.reasons.every((reason) => reasons.includes(reason)) &&
    (threshold === null || (typeof threshold === "number" && threshold >= 0 && threshold <= 1)) &&
    (verdict === null ? typeof withdraws === "string" : VERDICTS.includes(verdict) && withdraws === null);
}

// Records of a file of verdicts that are not among `known` ids yet, and how many lines are none that `fits`.
export function newIn(text, known, fits) {
  const seen = new Set(known), found = [];
  let others = 0;
  for (const line of text.split("\n")) {
    if (!line.trim()) continue;
    const one = parsed(line);
    if (one === null || !fits(one)) others++;
    else if (!seen.has(one.id)) {
      seen.add(one.id);
      found.push(one);
    }
  }
  return { found, others };
}

function parsed(line) {
  try {
    const one = JSON.parse(line);
    return typeof one === "object" ? one : null;
  } catch {
    return null;
  }
}

export function linesOf(records) {
  return records.map((one) => `${JSON.stringify(one)}\n`).join("");
}
