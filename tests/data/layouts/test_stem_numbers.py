"""Masks and images that two tools numbered."""

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.layouts.detection import read_records
from helpers.data.layouts.stem_numbers import shifted_numbers, zeros_text


def numbered(*numbers, form="f_{}"):
    return [form.format(number) for number in numbers]


@pytest.mark.parametrize(
    ("masks", "images", "shifted"),
    [
        (numbered(0, 1, 2), numbered(1, 2, 3), True),
        (numbered(*range(9, 12)), numbered(*range(8, 11)), True),
        (numbered(0, 1, 2), numbered(0, 1, 2), False),
        (numbered(0, 1, 2), numbered(1, 2, 3, 4), False),  # some have no mask
        (numbered(0, 1, 2), numbered(5, 6, 7), False),  # no mask finds an image
        (numbered(0, 1), numbered(1, 2), False),  # too few
        (numbered(1, 2, 9), numbered(1, 2, 3), False),  # one odd mask
        (
            [*numbered(1, 2, 3), *numbered(0, 1, 2, form="g{}a")],
            [*numbered(1, 2, 3), *numbered(1, 2, 3, form="g{}a")],
            True,
        ),
    ],
)
def test_numbers_that_are_one_off_throughout(masks, images, shifted):
    assert (shifted_numbers(masks, images) is not None) == shifted


def test_zeros_before_a_number():
    assert "zeros before a number alone" in zeros_text("p1_007", ["p01_7"])
    assert zeros_text("p1_007", ["p1_70", "p2_7"]) == zeros_text("a", []) == ""


def put(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        Image.fromarray(np.full((6, 6), 255 if folder.name == "masks" else 90, np.uint8)).save(folder / name)


def test_pairs_that_are_all_one_off_are_refused(tmp_path):
    put(tmp_path / "images", *(f"f{number}.png" for number in range(1, 6)))
    put(tmp_path / "masks", *(f"f{number}.png" for number in range(5)))
    with pytest.raises(RefusedInput, match="0 to 4 for masks and 1 to 5 for images") as refusal:
        read_records(tmp_path)
    assert "remove the files without a partner" in str(refusal.value)
    (tmp_path / "masks/f0.png").unlink()
    assert sum(record.truth is not None for record in read_records(tmp_path).records) == 4


def test_a_mask_whose_number_is_written_otherwise_says_so(tmp_path):
    put(tmp_path / "images", "1.png", "2.png")
    put(tmp_path / "masks", "001.png", "2.png")
    (fault,) = read_records(tmp_path).faults
    assert fault.reason.endswith("an image differs from it in zeros before a number alone: give both one name")
