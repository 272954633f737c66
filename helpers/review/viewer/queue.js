// Which cases are looked at, in what order. No function needs a page.

export const byName = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// The same order as `ReviewSession.arrange`: stable, cases without a value first under worst, last under best, and
// cases where nothing is to be seen behind all others.
export function arranged(cases, order, metric, lowerIsBetter, kept) {
  const found = cases.filter(kept);
  if (order === "natural") return found;
  const badness = (one) => {
    const value = one.scores[metric];
    return value === undefined || value === null ? Infinity : lowerIsBetter ? value : -value;
  };
  const sign = order === "worst" ? -1 : 1;
  return found.sort((a, b) => {
    if (Boolean(a.empty) !== Boolean(b.empty)) return a.empty ? 1 : -1;
    if (a.empty) return 0;
    const [x, y] = [badness(a), badness(b)];
    return x === y ? 0 : sign * (x < y ? -1 : 1);
  });
}

// Whether a case is left in by `wanted` (field -> value, "" for all), by `verdict` ("none" for cases without one), and
// by `correction`, its state as `stateOf` gives it ("" for all).
export function isKept(one, wanted, verdict, given, correction = "", stateOf = () => "") {
  return Object.entries(wanted).every(([name, value]) => value === "" || one[name] === value) &&
    (verdict === "" || (given.get(one.case_id)?.verdict ?? "none") === verdict) &&
    (correction === "" || stateOf(one.case_id) === correction);
}

// The values of a field, in natural order.
export function distinct(cases, name) {
  return [...new Set(cases.map((one) => one[name]).filter((value) => value !== null))].sort(byName.compare);
}

// Place of the next case without a verdict, from the front once the end is reached; -1 where all have one.
export function nextOpen(queue, place, given) {
  const open = (one) => !given.has(one.case_id);
  const after = queue.findIndex((one, at) => at > place && open(one));
  return after >= 0 ? after : queue.findIndex(open);
}

// All frames of a case's sequence, in the order of the cases, which is that of time.
export function framesOf(cases, here) {
  return !here || here.sequence === null ? [] : cases.filter((one) => one.sequence === here.sequence);
}

// Which of two runs is A: the same whenever the case is shown, and nothing that a reviewer could guess.
export function firstBlind(run, caseId) {
  let hash = 0;
  for (const character of run + caseId) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0;
  return (hash ^ (hash >>> 13)) & 1;
}
