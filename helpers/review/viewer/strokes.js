// What was done to a mask, to be undone and done again without limit: only the pixels that changed are kept.

export class Strokes {
  constructor() {
    Object.assign(this, { done: [], undone: [], kept: 0 });
  }

  // Whether the mask is another one than that which was kept last, or that it began with.
  get changed() {
    return this.done.length !== this.kept;
  }

  // Those whose work stands, each once.
  get tools() {
    return [...new Set(this.done.map(({ tool }) => tool))];
  }

  add(tool, runs) {
    if (this.kept > this.done.length) this.kept = NaN; // what was kept can no longer be come back to
    this.undone = [];
    this.done.push({ tool, runs });
  }

  // The pixels to flip; null where nothing is left to undo.
  undo() {
    const last = this.done.pop();
    if (!last) return null;
    this.undone.push(last);
    return last.runs;
  }

  redo() {
    const next = this.undone.pop();
    if (!next) return null;
    this.done.push(next);
    return next.runs;
  }
}
