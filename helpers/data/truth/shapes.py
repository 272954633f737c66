"""Polygons and COCO run-length codes, made masks: one rule, used everywhere.

A pixel in column c and row r covers the square from (c, r) to (c + 1, r + 1). It belongs to the polygon if its centre
(c + 0.5, r + 0.5) lies inside by the even-odd rule; several polygons are united. The drawing is that of pycocotools,
by which COCO-style training masks are drawn too: a mask that a model is scored with is the one it could have learnt.
Its cost grows with the outline alone, so that a hostile polygon of many vertices cannot stall it. It follows slanted
edges on a grid of a fifth of a pixel, so that a centre nearer than that to an edge may fall on either side.

scikit-image (`draw.polygon`, `polygon2mask`) puts pixel centres at whole coordinates and counts those on an edge as
inside: its masks are wider by up to the boundary pixels, half a pixel to the left and up. OpenCV and Pillow draw the
whole outline as well. All agree on pixels further than one from the outline.

Of a run-length code, runs go down the columns and start with the length of a run outside the mask. The compressed
string is COCO's: runs from the fourth on as a difference to the one two before, in groups of 5 bits.
"""

import ast
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from skimage.measure import find_contours, label

from helpers.core.shown_text import counted
from helpers.data.frames.image_reading import MAX_PIXELS
from helpers.data.truth.truth_problem import TruthProblem, below_zero, beyond, few_points

# How far outside the image a vertex may lie, in pixels: annotation tools round so. It is moved to the border.
TOLERANCE = 1.0

# `str()` of the bytes that pycocotools gives, as many programs save them. COCO's code has no quotation mark.
_SHOWN_BYTES = re.compile(r"b'[^']*'|b\"[^\"]*\"")

# Polygons that are compared with all others at a time.
_AT_ONCE = 256


# A shorter code is that of a mask of so few runs that its numbers pass for corners by chance.
_FEWEST_RUNS = 8


def _is_run_length_code(numbers: Sequence[float], width: int | None, height: int | None) -> bool:
    """Whether the numbers of a polygon are the runs of a mask: whole, none of them 0 but the first, one for each pixel.

    Of a vessel across the image they all lie within it, so that they pass for corners.
    """
    if width is None or height is None or len(numbers) < _FEWEST_RUNS:
        return False
    whole = all(math.isfinite(number) and number == int(number) for number in numbers)
    return whole and min(numbers[1:]) > 0 <= numbers[0] and sum(numbers) == width * height


def polygon_problems(polygon: Sequence[float], width: int | None, height: int | None) -> tuple[TruthProblem, ...]:
    """What keeps a polygon from being drawn.

    Args:
        polygon: x0, y0, x1, y1, ... in pixels.
        width, height: of the image in pixels; None where unknown.
    Returns:
        Such as `has 2 points` or `reaches x=799 on a 512 px wide image`; empty where it is sound.
    """
    if _is_run_length_code(polygon, width, height):
        return (
            TruthProblem(
                f"is a run-length code in the place of a polygon: its {len(polygon)} numbers add up to the "
                f"{width}x{height} pixels of the image"
            ),
        )
    if len(polygon) % 2:
        return (TruthProblem(f"has {len(polygon)} numbers, which do not make pairs of x and y"),)
    if not all(map(math.isfinite, polygon)):
        return (TruthProblem("holds a coordinate that is not finite"),)
    points = len(polygon) // 2
    if points < 3:
        return (few_points(points),)
    problems = []
    for axis, values, limit, side in (("x", polygon[::2], width, "wide"), ("y", polygon[1::2], height, "high")):
        if min(values) < -TOLERANCE:
            problems.append(below_zero(axis, min(values)))
        if limit is not None and max(values) > limit + TOLERANCE:
            problems.append(beyond(axis, max(values), limit, side))
    return tuple(problems)


def draw_polygons(polygons: Sequence[Sequence[float] | np.ndarray], width: int, height: int) -> np.ndarray:
    """The union of polygons that have no `polygon_problems`, bool (height, width).

    Vertices outside the image are moved to its border.
    """
    if not polygons:
        return np.zeros((height, width), dtype=bool)
    return decode(coco_mask.merge(_drawn(polygons, width, height)))


def enclosed(polygons: Sequence[Sequence[float]], width: int, height: int) -> int:
    """How many polygons have all their pixels inside one other polygon, which has more.

    They add nothing to the union. Polygons of equal pixels do not enclose each other; one without a pixel is in none.

    Args:
        polygons: without `polygon_problems`.
        width, height: of the image in pixels.
    """
    if len(polygons) < 2:
        return 0
    drawn = _drawn(polygons, width, height)
    areas = coco_mask.area(drawn)
    drawn = [code for code, area in zip(drawn, areas, strict=True) if area]
    areas = areas[areas > 0]
    count = 0
    for start in range(0, len(drawn), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        # Against a crowd, the share of a polygon's own pixels that lie inside.
        inside = coco_mask.iou(drawn[part], drawn, [1] * len(drawn)) == 1
        count += int((inside & (areas[None] > areas[part, None])).any(axis=1).sum())
    return count


def _drawn(polygons: Sequence[Sequence[float] | np.ndarray], width: int, height: int) -> list[dict[str, Any]]:
    """The run-length code of each polygon."""
    clipped = []
    for polygon in polygons:
        points = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
        clipped.append(np.clip(points, 0, (width, height)).ravel().tolist())
    return coco_mask.frPyObjects(clipped, height, width)


def polygons(mask: np.ndarray) -> list[list[float]]:
    """One polygon for each connected part of a mask, bool (H, W).

    Returns:
        Lists x0, y0, x1, y1, ... in pixels, drawn again as `helpers.data.truth.shapes` does. A hole is joined to its
        outline by a slit without width, since the even-odd rule then leaves it open.
    """
    parts = label(mask, connectivity=1)
    return [_outline(np.pad(parts == number, 1)) for number in range(1, parts.max() + 1)]


def _outline(padded: np.ndarray) -> list[float]:
    # Contours run half a pixel from the centres of the pixels, of which those of the padded part begin at -1.
    rings = sorted(find_contours(padded.astype(float), 0.5), key=len, reverse=True)
    anchor = rings[0][:1]
    points = np.concatenate([np.concatenate([ring, anchor]) for ring in rings])
    return (points[:, ::-1] - 0.5).ravel().tolist()


class BadRle(ValueError):
    """A run-length code that no mask has. Its text says why."""


def encode(mask: np.ndarray) -> dict[str, Any]:
    """Compressed COCO code of a mask.

    Args:
        mask: bool (H, W).
    Returns:
        `size` [H, W] and `counts`, text.
    """
    code = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in code["size"]], "counts": code["counts"].decode("ascii")}


def decode(code: Mapping[str, Any]) -> np.ndarray:
    """The mask of a compressed or plain COCO code, bool (H, W).

    The runs are checked before anything is drawn, for the library's own decoder trusts them.

    Raises:
        BadRle: where `size` or `counts` are missing or damaged, or the runs do not fill the image.
    """
    height, width = code_size(code)
    counts = code.get("counts")
    if isinstance(counts, str) and _SHOWN_BYTES.fullmatch(counts):
        counts = _shown_bytes(counts)
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    runs = _parse(counts) if isinstance(counts, str) else _plain(counts)
    if sum(runs) != height * width:
        raise BadRle(f"the runs cover {counted(sum(runs), 'pixel')} of an image of {width}x{height} = {width * height}")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape((height, width), order="F")


def _shown_bytes(counts: str) -> bytes:
    """Counts that a program wrote as Python shows bytes."""
    try:
        found: bytes = ast.literal_eval(counts)
    except (SyntaxError, ValueError) as error:
        raise BadRle("the compressed counts are bytes as Python shows them, and damaged") from error
    return found


def code_size(code: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width of a code, in pixels. Raises BadRle where they are missing or absurd."""
    size = code.get("size")
    if not isinstance(size, Sequence) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise BadRle("expected size [height, width] in whole pixels")
    if size[0] * size[1] > MAX_PIXELS:
        raise BadRle(f"an image of {size[1]}x{size[0]} pixels is too large; at most {MAX_PIXELS:,} are read")
    return size[0], size[1]


def _plain(counts: Any) -> list[int]:
    if not isinstance(counts, list) or not all(type(run) is int and run >= 0 for run in counts):
        raise BadRle("expected counts as text or a list of whole numbers that are not negative")
    return counts


def _parse(text: str) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 30:
            raise BadRle("the compressed counts hold a character or a number that COCO's code has not")
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        run = value + (runs[-2] if len(runs) > 2 else 0)
        if run < 0:
            raise BadRle("the compressed counts hold a negative run")
        runs.append(run)
        value = shift = 0
    if shift:
        raise BadRle("the compressed counts are cut short")
    return runs
