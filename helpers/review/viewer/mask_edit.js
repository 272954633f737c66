// Changes of a mask (a byte a pixel, 0 or 1, row after row) by brush and by connected pieces. No function needs a page.
// A change is the runs of pixels that it flips: place of the first, how many, and so on; none reaches into a next row.

const SLACK = 1e-9; // of a pixel: what rounding may take from an edge

// Runs, as they come.
export class Runs {
  constructor() {
    Object.assign(this, { values: new Int32Array(256), length: 0 });
  }

  add(start, count) {
    if (this.length === this.values.length) {
      const longer = new Int32Array(2 * this.length);
      longer.set(this.values);
      this.values = longer;
    }
    this.values[this.length++] = start;
    this.values[this.length++] = count;
  }

  end() {
    return this.values.slice(0, this.length);
  }
}

// Where a round brush, some whole pixels wide, stands: on a pixel's centre, or on a corner where the width is even.
function placed({ x, y }, diameter) {
  return diameter % 2 ? { x: Math.floor(x) + 0.5, y: Math.floor(y) + 0.5 } : { x: Math.round(x), y: Math.round(y) };
}

// The two lines beside the way of a brush.
function sidesOf(a, b, radius) {
  const length = Math.hypot(b.x - a.x, b.y - a.y);
  if (length === 0) return [];
  const x = (-(b.y - a.y) / length) * radius, y = ((b.x - a.x) / length) * radius;
  return [[x, y], [-x, -y]].map(([dx, dy]) => [{ x: a.x + dx, y: a.y + dy }, { x: b.x + dx, y: b.y + dy }]);
}

// Gives pixels on the way of a brush a value: those whose centre is within it. `among` leaves those alone whose
// `values` are not above `cut`. What was flipped is added to `runs`; returns the rectangle that the brush could reach.
export function stamp(mask, width, height, from, to, diameter, value, runs, among = null) {
  const radius = diameter / 2, ends = [placed(from, diameter), placed(to, diameter)], sides = sidesOf(...ends, radius);
  const xs = ends.map(({ x }) => x), ys = ends.map(({ y }) => y);
  const [left, top] = [xs, ys].map((all) => Math.max(Math.floor(Math.min(...all) - radius), 0));
  const right = Math.min(Math.ceil(Math.max(...xs) + radius), width);
  const bottom = Math.min(Math.ceil(Math.max(...ys) + radius), height);
  for (let row = top; row < bottom; row++) {
    const [begin, end] = reached(row + 0.5, ends, sides, radius);
    const first = Math.max(Math.ceil(begin - 0.5 - SLACK), 0);
    const last = Math.min(Math.floor(end - 0.5 + SLACK), width - 1);
    give(mask, row * width + first, row * width + last, value, runs, among);
  }
  return { left, right, top, bottom };
}

// From where to where a brush reaches on its way, at one height: between its two ends and the lines beside them.
function reached(y, ends, sides, radius) {
  let left = Infinity, right = -Infinity;
  for (const end of ends) {
    const high = radius * radius - (y - end.y) ** 2;
    if (high < 0) continue;
    left = Math.min(left, end.x - Math.sqrt(high));
    right = Math.max(right, end.x + Math.sqrt(high));
  }
  for (const [p, q] of sides) {
    if (p.y === q.y || (p.y - y) * (q.y - y) > 0) continue;
    const x = p.x + ((q.x - p.x) * (y - p.y)) / (q.y - p.y);
    left = Math.min(left, x);
    right = Math.max(right, x);
  }
  return [left, right];
}

function give(mask, first, last, value, runs, among) {
  let count = 0;
  for (let i = first; i <= last; i++) {
    if (mask[i] !== value && (among === null || among.values[i] > among.cut)) {
      mask[i] = value;
      count++;
    } else if (count > 0) {
      runs.add(i - count, count);
      count = 0;
    }
  }
  if (count > 0) runs.add(last + 1 - count, count);
}

// The piece that a pixel of the mask belongs to: all that hang together, straight or diagonal.
export function pieceAt(mask, width, height, place) {
  const seen = new Uint8Array(mask.length), open = [place], runs = new Runs();
  while (open.length) {
    const from = open.pop();
    if (seen[from]) continue;
    const row = Math.floor(from / width), begin = row * width, end = begin + width - 1;
    let first = from, last = from;
    while (first > begin && mask[first - 1]) first--;
    while (last < end && mask[last + 1]) last++;
    seen.fill(1, first, last + 1);
    runs.add(first, last + 1 - first);
    for (const step of [-1, 1]) {
      if (row + step < 0 || row + step >= height) continue;
      const shift = step * width;
      for (let i = Math.max(first - 1, begin) + shift; i <= Math.min(last + 1, end) + shift; i++) {
        if (mask[i] && !seen[i]) open.push(i);
      }
    }
  }
  return runs.end();
}

// All of a mask but a piece.
export function othersThan(mask, width, piece) {
  const rest = mask.slice(), runs = new Runs();
  flip(rest, piece);
  for (let begin = 0; begin < rest.length; begin += width) give(rest, begin, begin + width - 1, 0, runs, null);
  return runs.end();
}

// Place of the mask's pixel that is nearest to a point, at most `reach` pixels away; -1 where there is none.
export function nearestIn(mask, width, height, { x, y }, reach) {
  let best = reach * reach, found = -1;
  for (let row = Math.max(Math.floor(y - reach), 0); row <= Math.min(Math.floor(y + reach), height - 1); row++) {
    for (let i = Math.max(Math.floor(x - reach), 0); i <= Math.min(Math.floor(x + reach), width - 1); i++) {
      const away = (i + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2;
      if (mask[row * width + i] && away <= best) [best, found] = [away, row * width + i];
    }
  }
  return found;
}

// Does a change, or takes it back: it is the same.
export function flip(mask, runs) {
  for (let at = 0; at < runs.length; at += 2) {
    for (let i = runs[at]; i < runs[at] + runs[at + 1]; i++) mask[i] ^= 1;
  }
}

// The change from one mask to another.
export function differing(mask, other, width) {
  const runs = new Runs();
  for (let begin = 0; begin < mask.length; begin += width) {
    let count = 0;
    for (let i = begin; i < begin + width; i++) {
      if (mask[i] !== other[i]) {
        count++;
      } else if (count > 0) {
        runs.add(i - count, count);
        count = 0;
      }
    }
    if (count > 0) runs.add(begin + width - count, count);
  }
  return runs.end();
}

// The smallest rectangle around a change that is not empty.
export function boundsOf(runs, width) {
  const part = { left: width, right: 0, top: Math.floor(runs[0] / width), bottom: 0 };
  for (let at = 0; at < runs.length; at += 2) {
    const row = Math.floor(runs[at] / width), left = runs[at] - row * width;
    part.left = Math.min(part.left, left);
    part.right = Math.max(part.right, left + runs[at + 1]);
    part.top = Math.min(part.top, row);
    part.bottom = Math.max(part.bottom, row + 1);
  }
  return part;
}

// A rectangle around two, of which the first may be null.
export function around(one, other) {
  return one === null ? other : {
    left: Math.min(one.left, other.left), right: Math.max(one.right, other.right),
    top: Math.min(one.top, other.top), bottom: Math.max(one.bottom, other.bottom),
  };
}

export function widened({ left, right, top, bottom }, by, width, height) {
  return {
    left: Math.max(left - by, 0), right: Math.min(right + by, width),
    top: Math.max(top - by, 0), bottom: Math.min(bottom + by, height),
  };
}

export function cropped(mask, width, { left, right, top, bottom }) {
  const wide = right - left, found = new Uint8Array(wide * (bottom - top));
  for (let row = top; row < bottom; row++) {
    found.set(mask.subarray(row * width + left, row * width + right), (row - top) * wide);
  }
  return found;
}

export function sameMask(one, other) {
  return one.length === other.length && one.every((value, i) => value === other[i]);
}
