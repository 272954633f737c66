// What a page without a server keeps in the browser: the records of one kind, on a shelf that all its windows share.

import { say } from "./words.js";

export const UNKEPT = say("Not kept: the browser has no room, or stores nothing. Download gives the file: take it before " +
  "you close this page.");

export class Shelf {
  // `tidied`: which of the records are worth the room.
  constructor(name, tidied = (records) => records) {
    Object.assign(this, { name, tidied, waiting: [] });
  }

  // Those on the shelf now, whichever window laid them there.
  get records() {
    try {
      return JSON.parse(localStorage.getItem(this.name) ?? "[]");
    } catch {
      return []; // a browser may refuse
    }
  }

  add(record) {
    this.waiting.push(record);
    this.lay();
  }

  // What finds no room waits for the next time, in this window alone.
  lay() {
    if (this.waiting.length === 0) return;
    try {
      localStorage.setItem(this.name, JSON.stringify(this.tidied([...this.records, ...this.waiting])));
      this.waiting = [];
    } catch {
      // It is told by `waiting`.
    }
  }
}
