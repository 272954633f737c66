// What can be set about mask and picture, and between which ends. No function needs a page.

export const SLIDERS = {
  threshold: ["Threshold", 0.005, 0.995, 0.005],
  opacity: ["Opacity", 0, 1, 0.05],
  width: ["Contour", 1, 5, 1],
  window: ["Window", 2, 255, 1],
  level: ["Level", 0, 255, 1],
  divide: ["Swipe", 0, 1, 0.01],
};
export const TOGGLES = {
  contour: "Contours only",
  invert: "Invert",
  map: "Error map",
  centreline: "Missed centreline",
  swipe: "Swipe",
  palette: "Red/green colours",
  blind: "Blind A/B",
};
export const DEFAULTS = {
  opacity: 0.6, width: 1, window: 255, level: 127.5, divide: 0.5,
  contour: false, invert: false, map: false, centreline: false, swipe: false, palette: false,
  blind: false,
};

export function limited(name, value) {
  const [, min, max] = SLIDERS[name];
  return Math.min(Math.max(value, min), max);
}

// A number of steps further, as the slider itself would give it: 70 * 0.005 is not 0.35.
export function nudged(name, value, steps) {
  const step = SLIDERS[name][3];
  return limited(name, Number((Math.round((value + steps * step) / step) * step).toFixed(3)));
}
