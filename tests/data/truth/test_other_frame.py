"""Coordinates that fit images of another size than those at hand are told, for each annotation file, with that size."""

import json

import pytest
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.data.audit.audit import audit
from helpers.data.dataset import open_dataset
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.truth.other_frame import OtherFrame, parse_size, suggestions


def sa2va(folder, name, reach, *, size=(512, 512), stem="a"):
    """An annotation file of one triangle that reaches x = y = `reach`, and its image."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    Image.new("L", size, reach % 200).save(folder / "images" / f"{stem}.png")
    polygon = [0, 0, reach, 0, reach, reach]
    (folder / name).write_text(json.dumps([{"image": f"{stem}.png", "mask": [polygon], "text": ["vessel"]}]))


def found(folder, **sizes):
    cases = open_dataset(folder, ids=IdPolicy.KEEP).cases
    return list(suggestions(cases, {case.case_id: sizes.get(case.case_id, (512, 512)) for case in cases}))


def test_only_the_file_that_leaves_its_frames_is_told_with_the_smallest_size_that_holds_it(tmp_path):
    sa2va(tmp_path, "train.json", 799, stem="a")
    sa2va(tmp_path, "val.json", 500, stem="b")
    assert found(tmp_path) == [OtherFrame(("a",), (512, 512), (799.0, 799.0), (800, 800))]


def test_the_shape_of_the_frame_is_kept_and_what_fits_no_usual_size_is_not_guessed(tmp_path):
    sa2va(tmp_path, "train.json", 700)
    assert found(tmp_path, a=(512, 384))[0].fits == (960, 720)
    sa2va(tmp_path, "train.json", 99_999)
    assert found(tmp_path) == []


def test_the_audit_says_what_to_ask_for_and_is_content_once_it_is(tmp_path):
    sa2va(tmp_path, "train.json", 799)
    report = audit(open_dataset(tmp_path, ids=IdPolicy.KEEP))
    kinds = {finding.kind: finding for finding in report.findings}
    assert not report.ok and kinds["other_frame"].advice.endswith("--rescale-from 800x800")
    mended = audit(open_dataset(tmp_path, ids=IdPolicy.KEEP, rescale_from=(800, 800)))
    assert mended.ok and "other_frame" not in {finding.kind for finding in mended.findings}
    assert any(note.startswith("1 ground truth ") and "800x800" in note for note in mended.notes)


@pytest.mark.parametrize("text", ["800", "800x", "x800", "0x5", "-1x5", "8.5x8", "800x800x3", "1x200000"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UsageProblem, match="rescale-from"):
        parse_size(text)


def test_a_size_is_width_and_height():
    assert parse_size("800X600") == (800, 600)
