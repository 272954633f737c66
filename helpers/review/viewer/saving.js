// One thing at a time is handed to the host to be kept, and what becomes of it is told.

import { heard, say } from "./words.js";

const SOON_MS = 1500;

export class Saving {
  constructor(tell) {
    Object.assign(this, { tell, busy: false });
  }

  // Whether it was kept. `what`: the text for it, such as verdict.
  async keep(what, act) {
    // Until the viewer has gone on, a second key would be meant for a case that is not there yet.
    if (this.busy) {
      this.tell(say("Still saving the previous {what}: give this one again in a moment.", { what }));
      return false;
    }
    this.busy = true;
    const late = setTimeout(() => this.tell(say(
      "Waiting for the kernel to save this {what}: it is busy, or was restarted (then run the notebook again).", { what },
    )), SOON_MS);
    try {
      await act();
      return true;
    } catch (error) {
      this.tell(say("Not saved: {why}", { why: heard(error.message) }));
      return false;
    } finally {
      clearTimeout(late);
      this.busy = false;
    }
  }
}
