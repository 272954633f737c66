"""What the coordinates of annotation files say of how they were made."""

import numpy as np
import pytest
from PIL import Image

from helpers.data.audit.audit import audit
from helpers.data.audit.findings import AuditSeverity
from helpers.data.dataset import open_dataset
from helpers.data.truth.shapes import polygons
from tests.support.annotation_files import coco, write

SIDE, IMAGES = 100, 6
# As a contour finder leaves it: whole pixels, in steps along rows, columns and diagonals.
RING = [(30, 40), (30, 80), (40, 90), (60, 90), (61, 89), (61, 60), (60, 59), (58, 57), (50, 49), (45, 44), (41, 40)]
TRACED = [*RING, (35, 40)]
BY_HAND = [(30, 40), (33, 80), (40, 90), (60, 93), (61, 89), (66, 60), (60, 59), (58, 57), (50, 41), (45, 44), (42, 40)]
DRAWN = [*BY_HAND, (35, 38)]


def kinds(folder, outline, images=IMAGES):
    rng = np.random.default_rng(1)
    for number in range(images):
        Image.fromarray(rng.integers(60, 200, (SIDE, SIDE), dtype=np.uint8)).save(folder / f"{number}.png")
    entries = [{"id": number, "file_name": f"{number}.png"} for number in range(images)]
    points = [float(value) for point in outline for value in point]
    write(folder / "data.json", coco(entries, [{"image_id": n, "segmentation": [points]} for n in range(images)]))
    found = audit(open_dataset(folder)).findings
    return {one.kind: one for one in found if one.kind in {"coordinate_unit", "traced_outline"}}


def scaled(factor):
    return [(x * factor, y * factor) for x, y in DRAWN]


def test_outlines_drawn_by_hand_say_nothing(tmp_path):
    assert kinds(tmp_path, DRAWN) == {}


@pytest.mark.parametrize("images", [1, IMAGES])
def test_fractions_of_the_frame_are_an_error(tmp_path, images):
    found = kinds(tmp_path, scaled(0.01), images)["coordinate_unit"]
    assert found.severity is AuditSeverity.ERROR and "fractions of the frame" in found.what


def test_coordinates_that_end_in_the_corner_of_every_image_are_told(tmp_path):
    found = kinds(tmp_path, scaled(0.5))["coordinate_unit"]
    assert found.severity is AuditSeverity.WARNING
    assert "end at x=33 and y=46, on frames of 100x100" in found.what and "per cent" in found.what


def test_a_few_images_may_show_vessels_in_a_corner(tmp_path):
    assert kinds(tmp_path, scaled(0.5), images=4) == {}


def test_outlines_of_a_contour_finder_are_told(tmp_path):
    assert "6 of 6 outlines run from pixel to pixel" in kinds(tmp_path, TRACED)["traced_outline"].what


def test_outlines_along_the_borders_of_pixels_lose_nothing_and_are_not(tmp_path):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[40:90, 30:36] = mask[60:66, 20:80] = True
    points = np.reshape(polygons(mask)[0], (-1, 2))
    assert "traced_outline" not in kinds(tmp_path, points)
    stairs = [
        (x, y) for x, y in zip(np.repeat(np.arange(40, 60), 2)[1:], np.repeat(np.arange(40, 60), 2), strict=False)
    ]
    assert "traced_outline" not in kinds(tmp_path, [*stairs, (59, 80), (40, 80)])
