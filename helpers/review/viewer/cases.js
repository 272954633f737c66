import { fullSize, unpackedMask } from "./arithmetic.js";

const KEPT = 6;

async function greyOf(url, width, height) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  return Uint8Array.from({ length: width * height }, (_, i) => pixels[4 * i]);
}

async function decoded(payload) {
  const { width, height } = payload, count = width * height;
  const mask = (text) => (text === null ? null : unpackedMask(text, count));
  const [grey, truth, ignored, centreline, carried] = await Promise.all([
    payload.image === null ? new Uint8Array(count) : greyOf(payload.image, width, height),
    mask(payload.truth),
    mask(payload.ignored),
    mask(payload.centreline),
    mask(payload.carried ?? null),
  ]);
  const predictions = await Promise.all(
    payload.predictions.map(async (one) =>
      one === null
        ? { status: "missing", words: null, stored: null, full: null }
        : {
            status: one.status,
            words: one.words,
            stored: await mask(one.mask),
            full: one.maps === null ? null : await fullSize(one.maps, width, height),
          },
    ),
  );
  return { ...payload, grey, truth, ignored, centreline, carried, predictions };
}

// A few cases are kept decoded, so that the memory stays flat however many are paged through.
export class Cases {
  constructor(load) {
    Object.assign(this, { load, kept: new Map() });
  }

  // All are asked for again: more is known of some.
  forget() {
    this.kept.clear();
  }

  has(caseId) {
    return this.kept.has(caseId);
  }

  of(caseId) {
    const known = this.kept.get(caseId) ?? this.load(caseId).then(decoded);
    this.kept.delete(caseId);
    this.kept.set(caseId, known);
    known.catch(() => this.kept.delete(caseId));
    while (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    return known;
  }
}
