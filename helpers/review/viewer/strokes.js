// What was done to a mask, to be undone and done again without limit: only the pixels that changed are kept.

export class Strokes {
  constructor() {
    Object.assign(this, { done: [], undone: [], kept: null });
  }

  // The stroke that made the mask what it is; null at the beginning.
  get last() {
    return this.done.at(-1) ?? null;
  }

  // Whether the mask is another one than that which was kept last, or that it began with.
  get changed() {
    return this.last !== this.kept;
  }

  // Those whose work stands, each once.
  get tools() {
    return [...new Set(this.done.map(({ tool }) => tool))];
  }

  add(tool, runs) {
    this.undone = [];
    this.done.push({ tool, runs });
  }

  // The pixels to flip; null where nothing is left to undo.
  undo() {
    return moved(this.done, this.undone);
  }

  redo() {
    return moved(this.undone, this.done);
  }
}

function moved(from, to) {
  const stroke = from.pop();
  if (!stroke) return null;
  to.push(stroke);
  return stroke.runs;
}
