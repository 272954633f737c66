// All cases of the queue as small pictures, of which only those in sight are drawn. No ground truth is in them.

import { unpackedMask } from "./arithmetic.js";
import { wordOf } from "./case_states.js";
import { button, make, put, written } from "./elements.js";
import { tiled } from "./layout.js";
import { Said, heard, languageNow, listed, say } from "./words.js";

const TILE = { width: 138, height: 182 };
const PICTURE = 120; // pixels, of the longer side
const HELD = 600, AT_ONCE = 3; // pictures that are kept, and made at once
const MARKS = { accept: "✓ accept", fix: "✎ fix", reject: "✗ reject", given: "✓ judged" };

export class Thumbnails {
  constructor(viewer) {
    Object.assign(this, { viewer, tiles: new Map(), pictures: new Map(), wanted: [], loading: 0 });
    this.field = make("div", { className: "vk-tiles" });
    this.root = make("section", { className: "vk-thumbs", hidden: true, ariaLabel: say("thumbnails") }, this.field);
    this.root.addEventListener("scroll", () => this.show());
    this.button = button("▦", () => this.toggle(), {
      ariaPressed: "false", ariaLabel: say("thumbnails"), title: say("thumbnails of all cases (G)"),
    });
  }

  get open() {
    return !this.root.hidden;
  }

  toggle() {
    const { viewer } = this;
    this.root.hidden = this.open;
    viewer.panels.root.hidden = this.open;
    this.button.ariaPressed = String(this.open);
    if (this.open) viewer.navigation.stop();
    else this.empty();
    viewer.takeKeys();
    return viewer.show(viewer.place);
  }

  // The case at hand into sight, and the keys to it.
  reach() {
    const { columns } = this.place(), top = Math.floor(this.viewer.place / columns) * TILE.height;
    const { scrollTop, clientHeight } = this.root;
    this.root.scrollTop = Math.min(Math.max(scrollTop, top + TILE.height - clientHeight), top);
    this.show();
    const tile = this.tiles.get(this.viewer.case?.case_id);
    if (this.viewer.root.contains(document.activeElement)) tile?.focus({ preventScroll: true });
  }

  step(rows) {
    const place = this.viewer.place + rows * this.columns;
    if (place >= 0 && place < this.viewer.queue.length) this.viewer.show(place);
  }

  place() {
    const { clientWidth, clientHeight, scrollTop } = this.root;
    return tiled(this.viewer.queue.length, TILE, clientWidth, clientHeight, scrollTop);
  }

  show() {
    if (!this.open) return;
    const { viewer } = this, { columns, total, from, to } = this.place(), given = this.given();
    this.columns = columns;
    this.field.style.height = `${total}px`;
    const shown = viewer.queue.slice(from, to), ids = new Set(shown.map((one) => one.case_id));
    for (const [caseId, tile] of this.tiles) {
      if (ids.has(caseId)) continue;
      if (tile === document.activeElement) viewer.takeKeys(); // which would go to the page with it
      tile.remove();
      this.tiles.delete(caseId);
    }
    shown.forEach((one, index) => this.showTile(one, from + index, given));
    this.wanted = shown;
    this.fill();
  }

  // Case id -> what its mark says. Blind, a case counts once both runs have a verdict, and which it is stays untold.
  given() {
    const { viewer } = this, all = viewer.facts.runs.map((_, place) => viewer.given(place));
    if (!viewer.state.blind) return (caseId) => all[viewer.run].get(caseId)?.verdict;
    return (caseId) => (all.every((one) => one.has(caseId)) ? "given" : undefined);
  }

  showTile(one, place, given) {
    const { viewer, columns } = this, score = viewer.scoreOf(one), verdict = given(one.case_id);
    let tile = this.tiles.get(one.case_id);
    if (!tile) {
      const canvas = make("canvas", { width: PICTURE, height: PICTURE, role: "presentation" });
      tile = make("button", { type: "button", className: "vk-tile", onclick: () => this.enter(one) },
        canvas, make("b", { textContent: one.case_id }), make("span", {}), make("i", {}), make("em", {}));
      this.tiles.set(one.case_id, tile);
      this.field.append(tile);
    }
    const [, , scored, mark, chip] = tile.children, here = place === viewer.place;
    const x = (place % columns) * TILE.width, y = Math.floor(place / columns) * TILE.height;
    tile.style.transform = `translate(${x}px, ${y}px)`;
    tile.tabIndex = here ? 0 : -1;
    tile.ariaCurrent = String(here);
    tile.title = one.case_id;
    const status = one.status !== "ok" && heard(one.status), word = wordOf(viewer, one.case_id);
    const shown = listed([score && `${score.title} ${written(score.value, score.digits)}`, status].filter(Boolean));
    const marked = verdict === undefined ? "" : say(MARKS[verdict]);
    put(scored, "textContent", shown);
    mark.className = `vk-${verdict ?? "open"}`;
    put(mark, "textContent", marked);
    put(chip, "textContent", word);
    if (score?.ofTruth) viewer.editor.truth.see(one.case_id);
    put(tile, "ariaLabel", new Said(() => [one.case_id, shown, marked, word].map(String).filter(Boolean).join(", ")));
    this.draw(one);
  }

  enter(one) {
    this.viewer.place = this.viewer.queue.indexOf(one);
    this.toggle();
  }

  // What a picture is made of besides its case. Blind, a mask could tell whose it is.
  made(one) {
    const { state, run } = this.viewer;
    return `${state.blind || this.viewer.editor.drawsFirst(one.case_id) ? "frame" : run} ${state.palette} ${languageNow()} ${one.case_id}`;
  }

  draw(one) {
    const picture = this.pictures.get(this.made(one)), tile = this.tiles.get(one.case_id);
    if (!tile || tile.dataset.made === this.made(one)) return;
    const context = tile.firstChild.getContext("2d");
    context.clearRect(0, 0, PICTURE, PICTURE);
    if (!picture) return;
    tile.dataset.made = this.made(one);
    context.drawImage(picture, Math.round((PICTURE - picture.width) / 2), Math.round((PICTURE - picture.height) / 2));
  }

  // Makes the pictures that lack, a few at a time; what has left the sight meanwhile is left out.
  fill() {
    while (this.open && this.loading < AT_ONCE) {
      const one = this.wanted.find((each) => !this.pictures.has(this.made(each)));
      if (!one) return;
      const made = this.made(one);
      this.pictures.set(made, null);
      this.loading++;
      this.picture(one).catch(() => drawnText(say("not shown"))).then((picture) => {
        this.pictures.set(made, picture);
        if (this.pictures.size > HELD) this.pictures.delete(this.pictures.keys().next().value);
        this.loading--;
        this.draw(one);
        this.fill();
      });
    }
  }

  async picture(one) {
    const { host, palette, run, state: { blind } } = this.viewer; // as they are now, not once the case is there
    const payload = await host.load(one.case_id), { width, height } = payload;
    if (payload.image === null) return drawnText(say("no frame"));
    const scale = PICTURE / Math.max(width, height), image = new Image();
    image.src = payload.image;
    await image.decode();
    const small = canvasOf(Math.max(Math.round(width * scale), 1), Math.max(Math.round(height * scale), 1));
    const context = small.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, small.width, small.height);
    const mask = blind ? null : payload.predictions[run]?.mask ?? null;
    if (mask !== null) {
      const full = coloured(await unpackedMask(mask, width * height), width, height, palette.prediction);
      context.drawImage(full, 0, 0, small.width, small.height);
    }
    return small;
  }

  empty() {
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
  }
}

function canvasOf(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

function coloured(mask, width, height, [r, g, b]) {
  const full = canvasOf(width, height), image = new ImageData(width, height);
  for (let i = 0; i < mask.length; i++) if (mask[i]) image.data.set([r, g, b, 190], 4 * i);
  full.getContext("2d").putImageData(image, 0, 0);
  return full;
}

function drawnText(text) {
  const small = canvasOf(PICTURE, PICTURE), context = small.getContext("2d");
  Object.assign(context, { fillStyle: "#a5a5a5", font: "12px system-ui, sans-serif", textAlign: "center" });
  context.fillText(text, PICTURE / 2, PICTURE / 2);
  return small;
}
