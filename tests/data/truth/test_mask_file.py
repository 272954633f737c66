"""Mask files in every published form."""

import gzip
import json
import pickle

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.audit.audit import audit
from helpers.data.dataset import open_dataset
from helpers.data.frames.image_reading import UnreadableImage, read_image
from helpers.data.rules import Rules
from helpers.data.truth.mask_file import mask_size, read_mask
from tests.data.truth.test_mask_values import areas

EXPECTED = [[False, True, True]]


def save(path, values, mode=None):
    image = Image.fromarray(np.asarray(values))
    (image.convert(mode) if mode else image).save(path)
    return path


@pytest.mark.parametrize(
    ("values", "remarks"),
    [
        (np.uint8([[0, 255, 255]]), ()),
        (np.uint8([[0, 1, 1]]), ()),
        (np.uint8([[0, 2, 2]]), ("mask not binary: values 0, 2",)),
        (np.uint16([[0, 1, 1]]), ()),
        (np.uint16([[0, 65535, 65535]]), ()),
        (np.uint16([[0, 40000, 40000]]), ("mask not binary: values 0, 40000",)),
    ],
)
def test_grey_masks(tmp_path, values, remarks):
    mask, found = read_mask(save(tmp_path / "m.png", values))
    assert mask.dtype == bool
    assert (mask.tolist(), found) == (EXPECTED, remarks)


_MODES = {
    "png": ("L", "RGB", "1", "P", "RGBA"),
    "tif": ("L", "RGB", "1", "P", "RGBA"),
    "gif": ("L", "RGB", "1", "P"),
    "bmp": ("L", "RGB", "1", "P"),
    "ppm": ("L", "RGB", "1"),
}


@pytest.mark.parametrize(("suffix", "mode"), [(suffix, mode) for suffix, modes in _MODES.items() for mode in modes])
def test_modes_and_formats(tmp_path, suffix, mode):
    mask, remarks = read_mask(save(tmp_path / f"m.{suffix}", np.uint8([[0, 255, 255]]), mode))
    assert (mask.tolist(), remarks) == (EXPECTED, ())


def test_many_values_are_cut_short_in_the_remark(tmp_path):
    values = np.uint8([[*range(9), *[0] * 40, *[255] * 40, *range(247, 255)]])
    _, remarks = read_mask(save(tmp_path / "m.png", values))
    assert remarks == ("mask not binary: values 0, 1, 2, 3, 4, 5, 6, 7, ...",)


BLACK, WHITE, RED, GREEN, BLUE = (0, 0, 0), (255, 255, 255), (128, 0, 0), (0, 128, 0), (0, 0, 255)


def palette(path, colours, indices):
    image = Image.new("P", (len(indices), 1))
    image.putpalette([value for colour in colours for value in colour])
    image.putdata(indices)
    image.save(path)
    return path


@pytest.mark.parametrize(
    ("colours", "indices"),
    [
        ((BLACK, RED), [0, 1, 1]),
        ((RED, BLACK), [1, 0, 0]),
        ((WHITE, BLACK), [1, 0, 0]),
        ((GREEN, BLACK, BLUE), [1, 2, 2]),
        ((GREEN, WHITE, BLACK), [2, 1, 1]),
    ],
)
def test_a_palette_counts_by_its_colours(tmp_path, colours, indices):
    assert read_mask(palette(tmp_path / "m.png", colours, indices))[0].tolist() == EXPECTED


def test_two_colours_are_black_and_vessel(tmp_path):
    mask, remarks = read_mask(save(tmp_path / "m.png", np.uint8([[BLACK, BLUE, BLUE]])))
    assert (mask.tolist(), remarks) == (EXPECTED, ("mask in colour: all that is not black was taken",))


@pytest.mark.parametrize(
    ("colours", "words"),
    [
        ([BLACK, RED, GREEN], "more than two"),
        ([WHITE, RED, RED], "none of them black"),
        ([RED, RED, RED], "one colour alone"),
    ],
)
def test_other_colours_are_refused(tmp_path, colours, words):
    with pytest.raises(UnreadableImage, match=words):
        read_mask(save(tmp_path / "m.png", np.uint8([colours])))
    with pytest.raises(UnreadableImage, match=words):
        read_mask(palette(tmp_path / "p.png", colours, [0, 1, 2]))


@pytest.mark.parametrize(
    "values",
    [
        np.uint8([[0, 1, 2, 3]]),
        np.uint8([[127, 128, 255]]),
        np.uint8([[0, 85, 85, 170, 170, 255]]),
        np.uint16([[0, 300, 600]]),
        np.uint16([[0, 40000, 65535]]),
        np.float32([[0, 0.2, 0.9]]),
        np.float32([[0, np.nan, 255]]),
        np.int32([[-1, 0, 255]]),
        np.uint8([[100, 100]]),
        np.arange(200, dtype=np.uint8)[None],
    ],
)
def test_labels_and_dark_values_are_refused(tmp_path, values):
    with pytest.raises(
        UnreadableImage, match="expected a mask .* found (values|fractions|one value|greys).*--vessel VALUE"
    ):
        read_mask(save(tmp_path / "m.tif", values))


def test_a_smeared_mask_is_cut_at_half(tmp_path):
    rng = np.random.default_rng(0)
    values = np.where(rng.random((40, 40)) < 0.5, rng.integers(0, 9, (40, 40)), rng.integers(247, 256, (40, 40)))
    mask, remarks = read_mask(save(tmp_path / "m.png", values.astype(np.uint8)))
    assert np.array_equal(mask, values > 128) and remarks[0].startswith("mask not binary")


@pytest.mark.parametrize(("clear", "is_refused"), [(255, True), (0, False), (7, False)])
@pytest.mark.parametrize("mode", ["L", "P"])
def test_a_grey_or_palette_entry_that_counts_as_clear(tmp_path, mode, clear, is_refused):
    image = Image.fromarray(np.uint8([[0, 255], [255, 0]]))
    if mode == "P":
        image = image.convert("P")
        image.putpalette([level for level in range(256) for _ in range(3)])
    image.save(tmp_path / "m.png", transparency=clear)
    if is_refused:
        with pytest.raises(UnreadableImage, match="transparency"):
            read_mask(tmp_path / "m.png")
    else:
        assert read_mask(tmp_path / "m.png")[0].tolist() == [[False, True], [True, False]]


def test_transparency_is_refused(tmp_path):
    with pytest.raises(UnreadableImage, match="transparency"):
        read_mask(save(tmp_path / "m.png", np.uint8([[[255, 255, 255, 0], [255, 255, 255, 255]]])))


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_turned_as_its_image(tmp_path, suffix, orientation):
    values = np.zeros((16, 24), np.uint8)
    values[:8, :16] = 255
    image = Image.fromarray(values)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / f"m.{suffix}", exif=exif)
    mask, _ = read_mask(tmp_path / f"m.{suffix}")
    frame = np.asarray(read_image(tmp_path / f"m.{suffix}"))[..., 0]
    assert np.array_equal(mask, frame >= 128)
    assert mask_size(tmp_path / f"m.{suffix}") == mask.shape[::-1]


def test_gzipped(tmp_path):
    plain = save(tmp_path / "m.ppm", np.uint8([[0, 255, 255]]), "RGB")
    packed = tmp_path / "m.ppm.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_mask(packed)[0].tolist() == EXPECTED
    assert mask_size(packed) == (3, 1)
    packed.write_bytes(packed.read_bytes()[:-12])
    with pytest.raises(UnreadableImage):
        read_mask(packed)


def test_damaged_large_missing_and_animated_files(tmp_path, monkeypatch):
    path = save(tmp_path / "m.png", np.random.default_rng(0).integers(0, 2, (64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:-60])
    (tmp_path / "text.png").write_text("no image")
    frames = [Image.new("L", (3, 1), value) for value in (0, 255)]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    for name in ("m.png", "text.png", "two.gif", "none.png"):
        with pytest.raises(UnreadableImage) as refusal:
            read_mask(tmp_path / name)
        assert name not in refusal.value.reason
    monkeypatch.setattr("helpers.data.truth.mask_file.MAX_PIXELS", 2)
    with pytest.raises(UnreadableImage, match="at most 2"):
        read_mask(save(tmp_path / "large.png", np.uint8([[0, 255, 255]])))


@pytest.fixture
def folder(tmp_path):
    def make(*masks, suffix="png"):
        for number, values in enumerate(masks):
            image = areas(values, np.uint8) if isinstance(values, tuple) else values
            for part in ("images", "masks"):
                (tmp_path / part).mkdir(exist_ok=True)
            Image.fromarray(image).save(tmp_path / "masks" / f"{number}.{suffix}")
            Image.new("L", image.shape[1::-1], number).save(tmp_path / "images" / f"{number}.png")
        (tmp_path / "dataset.json").write_text(json.dumps({"ids": "public"}))
        return tmp_path

    return make


def masks(dataset):
    """Of each case: the mask's and the ignored pixels' share, and None where they are refused."""
    found = []
    for case in dataset.cases:
        try:
            size = case.truth.size
            ignored = case.truth.ignored(*size)
            found.append((case.truth.mask(*size).mean(), 0 if ignored is None else ignored.mean()))
        except RefusedInput:
            found.append(None)
    return found


@pytest.mark.parametrize(
    ("files", "rules", "expected"),
    [
        ([(0, 1, 255)], Rules(ignore=("255",)), [(1 / 3, 1 / 3)]),
        ([(0, 128, 255), (0, 255)], Rules(vessel=("255",)), [(1 / 3, 0), (1 / 2, 0)]),
        ([(0, 1), (0, 1, 2)], Rules(vessel=("1",)), [(1 / 2, 0), (1 / 3, 0)]),
        ([(0, 1), (0, 1, 2)], Rules(values="mask"), [(1 / 2, 0), (2 / 3, 0)]),
        ([(0, 2), (0, 1)], Rules(vessel=("1",), ignore=("2",)), [(0, 1 / 2), (1 / 2, 0)]),
        ([(0, 85, 170, 255)], Rules(values="probability"), [(1 / 2, 0)]),
        ([(0, 1, 2), (0, 2)], Rules(ignore=("2",)), [(1 / 3, 1 / 3), (0, 1 / 2)]),
    ],
)
def test_what_is_not_sure_waits_for_a_rule(folder, files, rules, expected):
    root = folder(*files)
    opened = open_dataset(root)
    assert masks(opened) == [None] * len(files)
    report = audit(opened)
    assert [found.kind for found in report.findings if found.severity == "error"] == ["undecided_values"]
    assert not report.ok and "--vessel VALUE" in report.to_text() and "%" in report.to_text()
    with pytest.raises(RefusedInput, match="data check DATASET --vessel VALUE --ignore VALUE --save"):
        opened.cases[0].truth.mask(*opened.cases[0].truth.size)
    decided = open_dataset(root, tried=rules)
    assert masks(decided) == [pytest.approx(one) for one in expected]
    assert not [found for found in audit(decided).findings if found.severity == "error"]


def test_labels_in_another_split_count_too(folder):
    root = folder((0, 1), (0, 1, 2))
    for place, split in enumerate(("test", "train")):
        for part in ("images", "masks"):
            (root / split / part).mkdir(parents=True)
            (root / part / f"{place}.png").rename(root / split / part / f"{place}.png")
    assert masks(open_dataset(root, split="test")) == [None]


def test_the_judgement_travels_and_no_file_is_read_again(folder, monkeypatch):
    case = open_dataset(folder((0, 255), (0, 255))).cases[0]
    sent = pickle.loads(pickle.dumps(case.truth))
    monkeypatch.setattr("helpers.data.truth.mask_file.read_plane", None)
    assert sent == case.truth and sent.mask(8, 4).mean() == 0.5


def test_what_is_odd_is_told_and_taken(folder):
    opened = open_dataset(folder((0, 1), (0, 255), (0,)))
    assert masks(opened) == [(0.5, 0), (0.5, 0), (0, 0)]
    assert "masks hold 0 and 1 and 0 and 255, not all the same" in audit(opened).to_text()
    tried = audit(open_dataset(opened.root, tried=Rules(ignore=("7",))))
    assert tried.ok and "7 was decided upon and is in no mask" in tried.to_text()


def test_a_vessel_that_is_nowhere_is_refused(folder):
    root = folder((0, 1, 2))
    assert masks(open_dataset(root, tried=Rules(vessel=("3",)))) == [None]
    assert (
        "expected vessel as 3 in the masks, found none"
        in audit(open_dataset(root, tried=Rules(vessel=("3",)))).to_text()
    )


def colours(*values):
    return areas(np.arange(len(values)), np.uint8), [part for colour in values for part in colour]


@pytest.mark.parametrize(
    ("palette", "rules", "expected"),
    [
        ([(0, 0, 0), (255, 0, 0), (0, 255, 0)], Rules(vessel=("#ff0000",)), (1 / 3, 0)),
        ([(0, 0, 0), (255, 0, 0), (0, 255, 0)], Rules(vessel=("2",), ignore=("#FF0000",)), (1 / 3, 1 / 3)),
        ([(0, 0, 0), (255, 0, 0), (0, 255, 0)], Rules(ignore=("2",)), (1 / 3, 1 / 3)),
        ([(0, 0, 0), (255, 255, 255), (255, 255, 255)], Rules(vessel=("1",)), (1 / 3, 0)),
        ([(0, 0, 0), (0, 0, 0)], Rules(vessel=("1",)), (1 / 2, 0)),
        ([(0, 0, 0), (1, 1, 1), (2, 2, 2)], Rules(vessel=("1",)), (1 / 3, 0)),
    ],
)
def test_palettes_are_named_by_index_or_colour(folder, palette, rules, expected):
    root = folder((0, 255))
    values, flat = colours(*palette)
    image = Image.fromarray(values).convert("P")
    image.putpalette(flat)
    image.putdata(list(values.ravel()))
    image.save(root / "masks" / "0.png")
    Image.new("L", image.size).save(root / "images" / "0.png")
    assert masks(open_dataset(root)) == [None]
    assert masks(open_dataset(root, tried=rules)) == [pytest.approx(expected)]


def test_an_index_that_is_another_entrys_grey_is_not_guessed(folder):
    root = folder((0, 255))
    image = Image.new("P", (6, 1))
    image.putpalette([0, 0, 0, 2, 2, 2, 9, 9, 9])
    image.putdata([0, 0, 1, 1, 2, 2])
    image.save(root / "masks" / "0.png")
    Image.new("L", image.size).save(root / "images" / "0.png")
    assert masks(open_dataset(root, tried=Rules(vessel=("2",)))) == [None]
    assert masks(open_dataset(root, tried=Rules(vessel=("#020202",)))) == [(pytest.approx(1 / 3), 0)]


def test_values_that_cannot_be_named_are_not_said_to_be_absent(folder):
    root = folder((0, 1, 2) * 9, suffix="jpg")
    opened = open_dataset(root, tried=Rules(vessel=("1",)))
    assert opened.masks.judgement.reason.startswith("a mask of smeared greys or colours holds no exact values to name")
