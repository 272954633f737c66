"""Files that were written on Windows: backslashes in paths, a mark at the beginning, two characters at a line's end."""

import json

import pytest

from helpers.data.cases import listed
from helpers.data.dataset import open_dataset
from helpers.data.groups.grouping import group
from helpers.data.layouts.detection import read_records
from tests.support.annotation_files import SQUARE, coco, frames

NAMES = ("images/P1/a.png", "images/P2/a.png")


def written(path, value):
    """As a Windows editor saves JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, indent=1).replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())


def backslashed(name):
    return name.replace("/", "\\")


@pytest.mark.parametrize("kind", ["coco", "sa2va", "labelme"])
def test_annotations_with_backslashes_find_their_images(tmp_path, kind):
    frames(tmp_path, *NAMES)
    if kind == "coco":
        images = [{"id": number, "file_name": backslashed(name)} for number, name in enumerate(NAMES)]
        annotations = [{"image_id": number, "segmentation": [SQUARE]} for number in range(2)]
        written(tmp_path / "annotations" / "data.json", coco(images, annotations))
    elif kind == "sa2va":
        written(tmp_path / "data.json", [{"image": backslashed(name), "mask": [SQUARE]} for name in NAMES])
    else:
        corners = [SQUARE[place : place + 2] for place in range(0, 8, 2)]
        for number, name in enumerate(NAMES):
            shape = {"label": "vessel", "shape_type": "polygon", "points": corners}
            size = {"imageWidth": 8, "imageHeight": 6}
            written(tmp_path / f"{number}.json", {"shapes": [shape], "imagePath": backslashed(name), **size})
    reading = read_records(tmp_path)
    assert sorted(record.name for record in reading.records) == list(NAMES) and not reading.faults
    assert all(record.truth.mask(8, 6).sum() == 4 for record in reading.records)


def test_paths_of_a_drive_are_refused_and_the_others_stay(tmp_path):
    frames(tmp_path, "a.png")
    entries = [{"image": name, "mask": [SQUARE]} for name in ("a.png", "C:\\study\\a.png", "\\\\server\\study\\a.png")]
    written(tmp_path / "data.json", entries)
    reading = read_records(tmp_path)
    assert [record.name for record in reading.records] == ["a.png"]
    assert [fault.reason.startswith("image path: the path is absolute") for fault in reading.faults] == [True] * 2


def test_a_table_with_backslashes_groups(tmp_path):
    frames(tmp_path, *NAMES)
    rows = [f"{backslashed(name)},patient {number}" for number, name in enumerate(NAMES)]
    table = "\r\n".join(["\ufefffile,who", *rows]) + "\r\n"
    (tmp_path / "groups.csv").write_bytes(table.encode())
    records, _ = group(read_records(tmp_path, "images").records, "column:who", tmp_path)
    assert {record.name: record.patient for record in records} == {
        name: f"patient {number}" for number, name in enumerate(NAMES)
    }


def test_a_case_list_with_windows_line_ends(tmp_path):
    frames(tmp_path / "data", "a.png", "b.png")
    cases = open_dataset(tmp_path / "data", layout="images").frames
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + f"{cases[1].case_id}\r\n".encode())
    assert listed(cases, tmp_path / "list.txt") == (cases[1],)
