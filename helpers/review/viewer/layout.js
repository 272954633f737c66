// How the room on the screen is shared out. No function needs a page; all lengths are pixels of the screen.

export const GAP = 6;
export const CAPTION = 20; // height of a panel's caption
const SIDE = { least: 274, most: 400 }; // width of what stands beside the pictures
const NARROW = 640; // a viewer that is not wider has its controls below the pictures
const PART_ABOVE = 0.6; // of the height, for the pictures above the controls

// The grid of `count` panels that makes pictures of a ratio (width over height) largest.
export function gridOf(count, width, height, ratio) {
  let best = null;
  for (let columns = 1; columns <= Math.max(count, 1); columns++) {
    const rows = Math.ceil(Math.max(count, 1) / columns);
    const wide = (width - GAP * (columns - 1)) / columns, high = (height - GAP * (rows - 1)) / rows - CAPTION;
    const least = Math.max(Math.floor(Math.min(wide, high * ratio)), 1);
    if (best === null || least > best.width) best = { columns, rows, width: least };
  }
  return { ...best, height: Math.max(Math.floor(best.width / ratio), 1) };
}

// The panels' grid in a room, and the width of the controls: beside the pictures, or null where they stand below.
// Where the height is what limits the pictures, the controls get the width that is left.
export function shared(count, width, height, ratio) {
  if (width <= NARROW) return { ...gridOf(count, width, Math.max(height * PART_ABOVE, 1), ratio), side: null };
  const grid = gridOf(count, width - SIDE.least - GAP, height, ratio);
  const left = width - GAP - grid.columns * grid.width - GAP * (grid.columns - 1);
  return { ...grid, side: Math.min(Math.max(left, SIDE.least), SIDE.most) };
}

// Columns of tiles in a width, the height of all rows, and the places [from, to) that are in sight.
export function tiled(count, tile, width, height, top) {
  const columns = Math.max(Math.floor(width / tile.width), 1);
  const first = Math.max(Math.floor(top / tile.height), 0), last = Math.ceil((top + height) / tile.height);
  return {
    columns, total: Math.ceil(count / columns) * tile.height,
    from: Math.min(first * columns, count), to: Math.min(last * columns, count),
  };
}
