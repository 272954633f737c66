// The room that the viewer has on the screen, and what stands in it: panels, or thumbnails.

import { make } from "./elements.js";
import { shared } from "./layout.js";

const LEAST = 420; // pixels: in a lower room the viewer is scrolled
const PROBE = 100_000;

// The height that is in sight: of the window, or of what scrolls in it. What would grow with the viewer sets no limit.
function heightAround(root, scrollers) {
  const before = root.style.height;
  root.style.height = `${PROBE}px`;
  const heights = scrollers.map((one) => one.clientHeight).filter((height) => height > 0);
  root.style.height = before;
  return Math.min(globalThis.innerHeight, ...heights);
}

function scrollersOf(root) {
  const found = [];
  for (let one = root.parentElement; one && one !== document.body; one = one.parentElement) {
    if (getComputedStyle(one).overflowY !== "visible") found.push(one);
  }
  return found;
}

export class Stage {
  constructor(viewer, header, side) {
    Object.assign(this, { viewer, header, side, size: "", watched: new Set() });
    this.root = make("div", { className: "vk-stage" }, viewer.panels.root, viewer.thumbnails.root);
    this.body = make("div", { className: "vk-body" }, this.root, side);
    this.folds = [...side.querySelectorAll("details")];
    this.chosen = false; // whether the reviewer has opened or closed a fold, which then stays as it is
    side.addEventListener("click", (event) => {
      if (event.target.closest("summary")) this.chosen = true;
    });
    this.watch = new ResizeObserver(() => this.measure());
  }

  // Once the viewer is on the page.
  begin() {
    this.watch.observe(this.viewer.root);
    addEventListener("resize", () => this.measure(), { signal: this.viewer.stop.signal });
  }

  measure() {
    const { root } = this.viewer;
    if (root.offsetWidth === 0) return;
    const scrollers = scrollersOf(root);
    for (const one of scrollers) {
      if (!this.watched.has(one)) this.watch.observe(one);
      this.watched.add(one);
    }
    const height = Math.max(heightAround(root, scrollers), LEAST), size = `${root.clientWidth} ${height}`;
    if (size === this.size) return;
    Object.assign(this, { size, height });
    this.fit();
  }

  // Shares the room out anew: after a change of it, or of what is shown.
  fit() {
    const { viewer, header, side, body, height } = this, { root } = viewer;
    if (!height) return;
    const style = getComputedStyle(root);
    const sum = (...names) => names.reduce((all, name) => all + parseFloat(style[name]), 0);
    const width = root.clientWidth - sum("paddingLeft", "paddingRight");
    const high = height - header.offsetHeight - sum("paddingTop", "paddingBottom", "rowGap");
    const found = shared(viewer.panels.shown().length, width, high, viewer.panels.ratio);
    const stacked = found.side === null;
    root.classList.toggle("vk-stacked", stacked);
    root.style.height = stacked ? "auto" : `${height}px`;
    side.style.width = stacked ? "auto" : `${found.side}px`;
    body.style.setProperty("--vk-columns", found.columns);
    body.style.setProperty("--vk-width", `${found.width}px`);
    body.style.setProperty("--vk-height", `${found.height}px`);
    this.fold(stacked);
    viewer.thumbnails.show();
  }

  // Opens the folds that there is room for, those used most first.
  fold(stacked) {
    if (this.chosen) return;
    const [scrolled] = this.side.children;
    for (const one of this.folds) one.open = false;
    for (const one of this.folds) {
      one.open = true;
      if (!stacked && scrolled.scrollHeight > scrolled.clientHeight) one.open = false;
    }
  }

  // Into sight as a whole, for who uses it.
  reveal() {
    this.viewer.root.scrollIntoView({ block: "nearest" });
  }

  close() {
    this.watch.disconnect();
  }
}
