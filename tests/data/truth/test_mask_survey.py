"""The mask files of a data set are understood together, or not at all, until that is decided and saved."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.audit.audit import audit
from helpers.data.dataset import open_dataset
from helpers.data.rules import Rules
from tests.data.truth.test_mask_values import areas


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
    monkeypatch.setattr("helpers.data.truth.mask_survey.read_plane", None)
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
