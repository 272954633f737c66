// Whether the reviewer saw a case's ground truth, or a score against it, before or while its mask was corrected.

import { either } from "./corrections.js";

export class TruthSeen {
  // `facts`: with the verdicts and corrections given before this viewer was opened.
  constructor({ verdicts, corrections }) {
    Object.assign(this, { verdicts: [...verdicts], corrections: [...corrections], seen: new Set() });
  }

  // It is on the screen.
  see(caseId) {
    this.seen.add(caseId);
  }

  // Unknown (null) where the reviewer had judged the case before this viewer was opened.
  of(data, base, reviewer) {
    if (this.seen.has(data.case_id) || base.began_from === "truth") return true;
    if (data.truth === null) return false;
    const ofCase = (one) => one.case_id === data.case_id && one.reviewer === reviewer;
    const judged = this.verdicts.some(ofCase) ? null : false;
    return this.corrections.filter(ofCase).map((one) => one.truth_seen).reduce(either, judged);
  }
}
