"""Names with letters composed on one side and decomposed on the other belong together, for every reader."""

import unicodedata
from pathlib import Path

import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.cases import Record
from helpers.data.exchange.file_matching import match
from helpers.data.frames.frame import Frame
from helpers.data.groups.grouping import group
from helpers.data.layouts.detection import read_records
from helpers.data.truth.truth_problem import texts
from tests.data.layouts.test_labelme import labelme, shape
from tests.support.annotation_files import SQUARE, coco, write
from tests.support.field_data_sets import frame, mask

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Gefäß_é/Ñandú") for form in ("NFC", "NFD"))
WAYS = [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), (COMPOSED, COMPOSED)]


def annotated(folder, layout, name, size=(48, 40)):
    """Write an annotation of the image `name` in `folder`."""
    if layout == "coco":
        images = [{"id": 1, "file_name": name, "width": size[0], "height": size[1]}]
        write(folder / "all.json", coco(images, [{"image_id": 1, "segmentation": [SQUARE]}]))
    elif layout == "sa2va":
        write(folder / "all.json", [{"image": name, "mask": SQUARE, "text": ["vessel"]}])
    elif layout == "labelme":
        write(folder / "a.json", labelme(name, shape(SQUARE), width=size[0], height=size[1]))
    else:
        mask(folder / "masks" / name, 1)


@pytest.mark.parametrize(("ours", "theirs"), WAYS)
@pytest.mark.parametrize("layout", ["coco", "sa2va", "labelme", "paired"])
def test_every_reader_finds_the_image(tmp_path, layout, ours, theirs):
    path = frame(tmp_path / ("images" if layout == "paired" else "") / f"{ours}.png", 1)
    annotated(tmp_path, layout, f"{theirs}.png")
    reading = read_records(tmp_path)
    assert (reading.layout, reading.faults) == (layout, ())
    (record,) = reading.records
    assert record.path == path and record.path.is_file() and record.truth.mask(48, 40).any()


@pytest.mark.parametrize("layout", ["coco", "sa2va", "labelme", "paired"])
def test_a_name_that_is_there_in_both_spellings_is_refused(tmp_path, layout):
    below = tmp_path / ("images" if layout == "paired" else "")
    forms = [unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")]
    for seed, name in enumerate(forms):
        frame(below / name, seed)
    frame(below / "b.png", 9)
    annotated(tmp_path, layout, forms[0])
    try:
        reading = read_records(tmp_path)
    except RefusedInput as refusal:
        assert "two files have this name" in str(refusal)
    else:
        assert all(record.truth is None or texts(record.truth.problems()) for record in reading.records)
        assert reading.faults or any(record.truth for record in reading.records)


@pytest.mark.parametrize(("ours", "theirs"), WAYS)
def test_a_column_and_imported_masks_find_theirs(tmp_path, ours, theirs):
    (tmp_path / "who.csv").write_text(f"file,patient\n{theirs}.png,P1\n", encoding="utf-8")
    records, _ = group([Record(f"{ours}.png", Path("x"))], "column:patient", tmp_path)
    assert records[0].patient == "P1"
    frames = [Frame("C1", Path("set") / f"{ours}.png")]
    assert match(frames, Path("set"), [f"{theirs}_mask.png"]) == ({"C1": f"{theirs}_mask.png"}, 0)


def test_a_column_that_could_mean_two_files_is_refused(tmp_path):
    forms = [unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")]
    (tmp_path / "who.csv").write_text(f"file,patient\n{forms[0]},P1\n", encoding="utf-8")
    with pytest.raises(UsageProblem, match="none or several for 2 of 2"):
        group([Record(form, Path("x")) for form in forms], "column:patient", tmp_path)
