// What `helpers/review/logit_coding.py` does in float32 is done here operation by operation. No function needs a page.

const fround = Math.fround;

export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

export async function inflated(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// A packed mask as one byte a pixel, 0 or 1.
export async function unpackedMask(base64, count) {
  const packed = await inflated(base64);
  const mask = new Uint8Array(count);
  for (let i = 0; i < count; i++) mask[i] = (packed[i >> 3] >> (7 - (i & 7))) & 1;
  return mask;
}

// A mask as the kit packs it.
export async function packedMask(mask) {
  const bits = new Uint8Array(Math.ceil(mask.length / 8));
  for (let i = 0; i < mask.length; i++) bits[i >> 3] |= mask[i] << (7 - (i & 7));
  const stream = new Blob([bits]).stream().pipeThrough(new CompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function taps(size, wanted) {
  const first = new Int32Array(wanted), second = new Int32Array(wanted);
  const near = new Float32Array(wanted), far = new Float32Array(wanted);
  for (let i = 0; i < wanted; i++) {
    const place = Math.max((i + 0.5) * (size / wanted) - 0.5, 0);
    first[i] = Math.min(Math.floor(place), size - 1);
    second[i] = Math.min(first[i] + 1, size - 1);
    far[i] = place - first[i];
    near[i] = 1 - far[i];
  }
  return { first, second, near, far };
}

// Bilinear, corners not aligned: columns first, then rows.
export function resized(values, width, height, toWidth, toHeight) {
  const x = taps(width, toWidth), y = taps(height, toHeight);
  const wide = new Float32Array(toWidth * height), full = new Float32Array(toWidth * toHeight);
  for (let row = 0; row < height; row++) {
    const from = row * width, to = row * toWidth;
    for (let i = 0; i < toWidth; i++) {
      wide[to + i] = fround(x.near[i] * values[from + x.first[i]]) + fround(x.far[i] * values[from + x.second[i]]);
    }
  }
  for (let row = 0; row < toHeight; row++) {
    const above = y.first[row] * toWidth, below = y.second[row] * toWidth, to = row * toWidth;
    const near = y.near[row], far = y.far[row];
    for (let i = 0; i < toWidth; i++) full[to + i] = fround(near * wide[above + i]) + fround(far * wide[below + i]);
  }
  return full;
}

// The one map of the frame's size that thresholds are applied to.
export async function fullSize(maps, width, height) {
  const levels = new Float32Array(bytesOf(maps.levels).buffer);
  let largest = null;
  for (const text of maps.codes) {
    const codes = await inflated(text);
    let values = new Float32Array(codes.length);
    for (let i = 0; i < codes.length; i++) values[i] = levels[codes[i]];
    if (maps.network_size !== null) {
      const side = maps.network_size;
      values = resized(resized(values, maps.width, maps.height, side, side), side, side, width, height);
    }
    if (largest === null) largest = values;
    else for (let i = 0; i < values.length; i++) if (values[i] > largest[i]) largest[i] = values[i];
  }
  return largest;
}

export function maskAt(full, threshold, mask = new Uint8Array(full.length)) {
  const cut = fround(Math.log(threshold / (1 - threshold)));
  for (let i = 0; i < full.length; i++) mask[i] = full[i] > cut ? 1 : 0;
  return mask;
}

// Pixels in the prediction alone (1), in the truth alone (2) and in both (3); those in `ignored` are not scored.
export function countsOf(truth, mask, ignored = null) {
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < mask.length; i++) if (!ignored?.[i]) counts[mask[i] | (truth[i] << 1)]++;
  return counts;
}

// Those pixels of a mask that lie on slanted stripes, as wide as `helpers/review/figures/mask_drawing.py` has them.
export function striped(mask, width, height) {
  const stripe = 3 * Math.max(1, Math.round(Math.max(width, height) / 340)), found = new Uint8Array(mask.length);
  for (let i = 0; i < mask.length; i++) {
    if (Math.floor(((i % width) + Math.floor(i / width)) / stripe) % 2 === 0) found[i] = mask[i];
  }
  return found;
}

export function scoresOf([, alone, missed, both]) {
  const share = (part, whole) => (whole ? part / whole : null);
  return {
    dice: alone + missed + both === 0 ? 1 : share(2 * both, 2 * both + alone + missed),
    precision: share(both, both + alone),
    recall: share(both, both + missed),
  };
}

const FAR = 255;

// Steps from each pixel to the mask, straight or diagonal, up to 255; 0 within it.
export function distancesTo(mask, width, height) {
  const found = new Uint8Array(mask.length);
  for (let i = 0; i < mask.length; i++) found[i] = mask[i] ? 0 : FAR;
  // Once from the top left and once from the bottom right: each pixel is one step further than its nearest neighbour.
  for (const [first, step] of [[0, 1], [mask.length - 1, -1]]) {
    for (let row = 0, i = first; row < height; row++) {
      for (let x = 0; x < width; x++, i += step) {
        if (found[i] === 0) continue;
        let least = x > 0 ? found[i - step] : FAR;
        if (row > 0) {
          const before = i - step * width;
          if (found[before] < least) least = found[before];
          if (x > 0 && found[before - step] < least) least = found[before - step];
          if (x < width - 1 && found[before + step] < least) least = found[before + step];
        }
        if (least + 1 < found[i]) found[i] = least + 1;
      }
    }
  }
  return found;
}

// A line around a mask, outside it, so that what lies inside stays in sight.
export function outlineOf(distances, width) {
  const found = new Uint8Array(distances.length);
  for (let i = 0; i < found.length; i++) if (distances[i] > 0 && distances[i] <= width) found[i] = 1;
  return found;
}

// Each of 256 greys in each of several classes as a pixel; class 0 is the frame itself.
export function lookup({ window: span, level, invert }, colours, opacity, blank = false) {
  const table = new Uint32Array(256 * (colours.length + 1));
  for (let value = 0; value < 256; value++) {
    const scaled = Math.min(Math.max((value - (level - span / 2)) / span, 0), 1) * 255;
    const grey = blank ? 0 : invert ? 255 - scaled : scaled;
    table[value] = pixel(grey, grey, grey);
    colours.forEach((colour, place) => {
      const [r, g, b] = colour.map((part) => (1 - opacity) * grey + opacity * part);
      table[(place + 1) * 256 + value] = pixel(r, g, b);
    });
  }
  return table;
}

function pixel(r, g, b) {
  return ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
}
