"""Sa2VA fine-tuning JSON in its variants."""

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.layouts.detection import read_records
from helpers.data.layouts.sa2va_json import is_sa2va
from helpers.data.truth.truth_problem import texts
from tests.support.annotation_files import OTHER, SQUARE, frames, write

POINTS = [[1, 1], [3, 1], [3, 3], [1, 3]]


@pytest.mark.parametrize(
    ("mask", "pixels"),
    [
        (SQUARE, 4),
        ([SQUARE, OTHER], 8),
        ([[SQUARE], [OTHER]], 8),
        ([[SQUARE, OTHER], [SQUARE]], 8),
        (POINTS, 4),
        ([POINTS], 4),
        ([], 0),
    ],
    ids=["flat", "list", "objects", "overlapping objects", "points", "list of points", "no object"],
)
@pytest.mark.parametrize("text", [{}, {"text": "vessel"}, {"text": ["left vessel", "right vessel"]}])
def test_variants_of_mask_and_text(tmp_path, mask, pixels, text):
    frames(tmp_path, "a.png")
    write(tmp_path / "annotations.json", [{"image": "a.png", "mask": mask, **text}])
    reading = read_records(tmp_path)
    assert (reading.layout, reading.public) == ("sa2va", False)
    record = reading.records[0]
    assert record.truth.mask(8, 6).sum() == pixels
    expected = text.get("text")
    assert record.provenance["texts"] == ("\n".join(expected) if isinstance(expected, list) else expected)


@pytest.mark.parametrize("where", ["a.png", "images/a.png"])
def test_the_image_is_looked_for_beside_the_file_and_in_images(tmp_path, where):
    frames(tmp_path, where)
    file = write(tmp_path / "train.json", [{"image": "a.png", "mask": [SQUARE]}])
    for root in (tmp_path, file):
        record = read_records(root).records[0]
        assert (record.name, record.split) == (where, "train")


def test_the_image_is_looked_for_above_the_file(tmp_path):
    frames(tmp_path, "images/a.png")
    file = write(tmp_path / "annotations/data.json", [{"image": "a.png", "mask": [SQUARE]}])
    names = {read_records(root).records[0].name for root in (tmp_path, file)}
    assert names == {"images/a.png"}


def test_entries_of_one_image_become_one_record(tmp_path):
    frames(tmp_path, "a.png")
    entries = [
        {"image": "a.png", "mask": [SQUARE], "text": ["left"]},
        {"image": "./a.png", "mask": [OTHER], "text": ["right"]},
    ]
    write(tmp_path / "data.json", entries)
    reading = read_records(tmp_path)
    assert len(reading.records) == 1
    assert reading.records[0].truth.mask(8, 6).sum() == 8
    assert reading.records[0].provenance["texts"] == "left\nright"
    assert reading.notes == ("1 image with several entries, whose objects are united",)


def test_one_file_for_each_split(tmp_path):
    frames(tmp_path, "a.png", "b.png", "c.png")
    write(tmp_path / "train.json", [{"image": name, "mask": SQUARE} for name in ("a.png", "b.png")])
    write(tmp_path / "test.json", [{"image": name, "mask": SQUARE} for name in ("b.png", "c.png")])
    records = read_records(tmp_path).records
    assert [record.split for record in records] == ["train", None, "test"]
    assert "several splits" in texts(records[1].truth.problems())[0]


def test_two_files_without_a_split_are_refused_by_name(tmp_path):
    frames(tmp_path, "a.png")
    for name in ("first.json", "second.json"):
        write(tmp_path / name, [{"image": "a.png", "mask": SQUARE}])
    with pytest.raises(RefusedInput, match=r"first\.json, second\.json"):
        read_records(tmp_path)


@pytest.mark.parametrize(
    ("mask", "problem"),
    [
        (None, "found nothing"),
        ("vessel", "found str"),
        ([[1, 1, 2, 2]], "polygon 1 has 2 points"),
        ([[1, 1, "3", 1, 3, 3]], "found str"),
        ([[1, 1, True, 1, 3, 3]], "found bool"),
        ([[1, 1, 799, 1, 3, 3]], "reaches x=799 on a 8 px wide image"),
        ([SQUARE, [10**400, 1, 3, 1, 3, 3]], "too large"),
    ],
)
def test_a_broken_annotation_leaves_the_others_alone(tmp_path, mask, problem):
    frames(tmp_path, "a.png", "b.png")
    write(tmp_path / "data.json", [{"image": "a.png", "mask": mask}, {"image": "b.png", "mask": SQUARE}])
    broken, sound = read_records(tmp_path).records
    assert problem in "; ".join(texts(broken.truth.problems(8, 6)))
    with pytest.raises(RefusedInput, match="ground truth"):
        broken.truth.mask(8, 6)
    assert sound.truth.mask(8, 6).sum() == 4


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_break_their_polygon_alone(tmp_path, number):
    frames(tmp_path, "a.png", "b.png")
    text = '[{"image": "a.png", "mask": [1, 1, NUMBER, 2, 3, 3]}, {"image": "b.png", "mask": [1, 1, 3, 1, 3, 3, 1, 3]}]'
    (tmp_path / "data.json").write_text(text.replace("NUMBER", number))
    broken, sound = read_records(tmp_path).records
    assert texts(broken.truth.problems(8, 6)) == ("polygon 1 holds a coordinate that is not finite",)
    assert sound.truth.mask(8, 6).sum() == 4


@pytest.mark.parametrize(
    "image", ["../a.png", "/etc/passwd", "C:\\a.png", "x/../../a.png", "a\0.png", "", None, 7, ["a.png"], "link/a.png"]
)
def test_an_unsafe_image_path_is_a_fault_and_the_others_stay(tmp_path, image):
    frames(tmp_path, "outside/a.png", "set/b.png")
    (tmp_path / "set/link").symlink_to(tmp_path / "outside")
    write(tmp_path / "set/data.json", [{"image": image, "mask": SQUARE}, {"image": "b.png", "mask": SQUARE}])
    reading = read_records(tmp_path / "set")
    assert [record.name for record in reading.records] == ["b.png"]
    assert [fault.name for fault in reading.faults] == ["data.json[0]"]
    assert reading.notes[0] == "skipped, since they could not be read: 1 of the entries"


def test_html_and_formulas_in_names_are_text(tmp_path):
    frames(tmp_path, "=cmd()<b>.png")
    write(tmp_path / "data.json", [{"image": "=cmd()<b>.png", "mask": SQUARE, "text": "<script>"}])
    record = read_records(tmp_path).records[0]
    assert (record.name, record.provenance["texts"]) == ("=cmd()<b>.png", "<script>")


def test_a_missing_image_keeps_its_record_and_all_missing_are_refused(tmp_path):
    frames(tmp_path, "b.png")
    write(tmp_path / "data.json", [{"image": "a.png", "mask": SQUARE}, {"image": "b.png", "mask": SQUARE}])
    reading = read_records(tmp_path)
    assert [record.name for record in reading.records] == ["a.png", "b.png"]
    assert reading.notes == ("1 image named but missing",)
    (tmp_path / "b.png").unlink()
    with pytest.raises(RefusedInput, match="found none of 2"):
        read_records(tmp_path)


def test_the_kind_is_known_by_content():
    assert is_sa2va([{"image": "a", "mask": []}])
    assert not is_sa2va([{"image": "a"}])
    assert not is_sa2va({"image": "a", "mask": []})
