"""One picture in two splits, in other pixels."""

import numpy as np
import pytest
from PIL import Image

from helpers.data.audit.audit import audit
from helpers.data.dataset import open_dataset


def frame(seed):
    coarse = np.random.default_rng(seed).integers(40, 220, (6, 6), dtype=np.uint8)
    return Image.fromarray(coarse).resize((128, 128), Image.Resampling.BICUBIC)


def found(folder, train, test):
    for split, images in (("train", train), ("test", test)):
        (folder / split).mkdir()
        for number, (image, name, options) in enumerate(images):
            image.save(folder / split / f"{split}{number}.{name}", **options)
    findings = audit(open_dataset(folder)).findings
    return [one.what for one in findings if one.kind == "near_copy_across_splits"]


def plain(image):
    return image, "png", {}


@pytest.mark.parametrize(
    "copy",
    [
        lambda image: (image, "jpg", {"quality": 85}),
        lambda image: plain(image.resize((96, 96), Image.Resampling.BICUBIC)),
        lambda image: plain(image.point(lambda value: value & 0xFE)),
    ],
)
def test_one_picture_in_two_splits_is_told(tmp_path, copy):
    (said,) = found(tmp_path, [plain(frame(1)), plain(frame(2))], [copy(frame(2)), plain(frame(3))])
    assert said.startswith("1 frame nearly the same as a frame of another split")


def test_other_pictures_plain_ones_and_those_of_one_split_are_not(tmp_path):
    grey = Image.new("L", (128, 128), 90)
    copy = frame(1), "jpg", {"quality": 85}
    assert found(tmp_path, [plain(frame(1)), copy, plain(grey)], [plain(frame(3)), (grey, "jpg", {})]) == []


def test_equal_pixels_are_the_error_alone(tmp_path):
    assert found(tmp_path, [plain(frame(1))], [plain(frame(1))]) == []
