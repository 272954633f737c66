// One thing at a time is handed to the host to be kept, and what becomes of it is told.

const SOON_MS = 1500;

export class Saving {
  constructor(tell) {
    Object.assign(this, { tell, busy: false });
  }

  // Whether it was kept. `what`: such as verdict.
  async keep(what, act) {
    // Until the viewer has gone on, a second key would be meant for a case that is not there yet.
    if (this.busy) {
      this.tell(`Still saving the previous ${what}: give this one again in a moment.`);
      return false;
    }
    this.busy = true;
    const late = setTimeout(() => this.tell(
      `Waiting for the kernel to save this ${what}: it is busy, or was restarted (then run the notebook again).`,
    ), SOON_MS);
    try {
      await act();
      return true;
    } catch (error) {
      this.tell(`Not saved: ${error.message}`);
      return false;
    } finally {
      clearTimeout(late);
      this.busy = false;
    }
  }
}
