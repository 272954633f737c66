"""Images of more than 8 bits have one depth in a data set, whichever of them are looked at."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import helpers
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.audit.audit import audit
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.set_depth import common_depth
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.rule_file import save_rules
from helpers.data.rules import Rules
from tests.data.frames.test_image_reading import png_16
from tests.support.dicom_files import angiogram, write

PICTURE = np.arange(12).reshape(3, 4) * 50  # up to 550


def with_top(top):
    values = PICTURE.copy()
    values[0, 0] = top
    return values


def depth_of(folder, bits=None):
    return common_depth(folder, sorted(folder.iterdir()), bits)


def opened(folder, **how):
    return open_dataset(folder, ids=IdPolicy.KEEP, **{"layout": "images", **how})


def pictures(dataset):
    return {
        case.case_id: np.asarray(read_frame(case.frame.path, case.frame.index, case.frame.bits))[..., 0]
        for case in dataset.cases
    }


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(551, 65535), min_size=1, max_size=4), st.sampled_from(("png", "tif", "pgm")))
def test_the_largest_value_of_all_frames_decides_for_each(tmp_path_factory, tops, suffix):
    folder = tmp_path_factory.mktemp("set")
    for number, top in enumerate(tops):
        Image.fromarray(with_top(top).astype(np.uint16)).save(folder / f"f{number}.{suffix}")
    dataset = opened(folder)
    bits = next(bits for bits in (10, 12, 14, 16) if max(tops) < 2**bits)
    assert dataset.depth.bits == dataset.identity["bits"] == bits
    expected = np.rint(PICTURE * 255 / (2**bits - 1))
    for number, found in enumerate(pictures(dataset).values()):
        assert (found.ravel()[1:] == expected.ravel()[1:]).all(), number
    assert any(
        f"{counted(len(tops), 'image')} of more than 8 bits read as {bits} bits" in note for note in dataset.notes
    )


@pytest.mark.parametrize("split", [None, "train", "test"])
def test_a_part_of_the_data_set_has_the_depth_of_the_whole(tmp_path, split):
    for name, top in (("train", 700), ("test", 3000)):
        (tmp_path / name / "images").mkdir(parents=True)
        png_16(tmp_path / name / "images" / f"{name}.png", with_top(top))
    dataset = opened(tmp_path, split=split, layout=None)
    assert dataset.depth.bits == 12
    assert {case.frame.bits for case in dataset.cases} == {12}


def test_one_annotation_file_says_that_its_depth_is_its_own(tmp_path):
    (tmp_path / "images").mkdir()
    for name, top in (("train", 700), ("test", 3000)):
        png_16(tmp_path / "images" / f"{name}.png", with_top(top))
        entry = {"image": f"images/{name}.png", "mask": [[0, 0, 2, 0, 2, 2]], "text": "vessel"}
        (tmp_path / f"{name}.json").write_text(json.dumps([entry]))
    alone = opened(tmp_path / "train.json", layout=None)
    assert alone.depth.bits == 10
    assert any("of this file alone" in note for note in alone.rules_notes)
    both = opened(tmp_path, layout=None)
    assert both.depth.bits == 12 and not any("annotation file alone" in note for note in both.notes)
    save_rules(tmp_path, Rules(bits=both.depth.bits), ())
    kept = opened(tmp_path / "train.json", layout=None)
    assert kept.depth.bits == 12 and not any("annotation file alone" in note for note in kept.notes)


def test_rules_decide_and_decode_nothing(tmp_path, monkeypatch):
    png_16(tmp_path / "a.png", with_top(700))
    save_rules(tmp_path, Rules(bits=14), ("images",))
    monkeypatch.setattr("helpers.data.frames.set_depth.image_grey", None)
    dataset = opened(tmp_path)
    assert dataset.depth.bits == 14
    assert (pictures(dataset)["a"] == np.rint(with_top(700) * 255 / 16383)).all()


def test_values_beyond_the_rule_are_found_by_the_audit(tmp_path):
    png_16(tmp_path / "a.png", with_top(700))
    png_16(tmp_path / "b.png", with_top(5000))
    report = audit(opened(tmp_path, tried=Rules(bits=12)))
    (found,) = (finding for finding in report.findings if finding.kind == "unreadable")
    assert (found.case_id, report.ok) == ("b", False)
    assert "up to 5000" in found.what and "4095" in found.what


def test_equal_pictures_are_equal_whatever_their_files_hold_beside(tmp_path):
    png_16(tmp_path / "a.png", with_top(700))
    Image.fromarray(with_top(700).astype(np.uint16)).save(tmp_path / "b.tif")
    png_16(tmp_path / "c.png", with_top(9000))
    found = {finding.kind for finding in audit(opened(tmp_path)).findings}
    assert {"duplicate", "deep_pixels"} <= found


def test_frames_that_need_no_depth_have_none_and_are_unchanged(tmp_path):
    Image.fromarray(PICTURE.astype(np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(PICTURE.astype(np.uint8)).save(tmp_path / "b.jpg")
    dataset = opened(tmp_path)
    assert (dataset.depth.bits, dataset.depth.note) == (None, None)
    assert dataset.identity == {"layout": "images", "ids": "keep", "key_fingerprint": None}
    write(tmp_path / "dicom" / "c.dcm", angiogram(PICTURE))
    assert opened(tmp_path / "dicom", layout="dicom").frames[0].bits is None


def test_8_bit_images_beside_deep_ones_stay_as_they_are(tmp_path):
    Image.fromarray(PICTURE.astype(np.uint8)).save(tmp_path / "a.png")
    png_16(tmp_path / "b.png", with_top(3000))
    dataset = opened(tmp_path)
    assert [case.frame.bits for case in dataset.cases] == [None, 12]
    assert (pictures(dataset)["a"] == PICTURE.astype(np.uint8)).all()


def test_a_format_that_states_its_range_decides_for_its_file(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 4 3 1023\n" + PICTURE.astype(">u2").tobytes())
    (tmp_path / "b.pgm").write_bytes(b"P5 4 3 4095\n" + PICTURE.astype(">u2").tobytes())
    dataset = opened(tmp_path)
    assert (dataset.depth.bits, dataset.depth.ranges) == (None, (1023, 4095))
    assert dataset.identity["ranges"] == [1023, 4095] and "bits" not in dataset.identity
    found = pictures(dataset)
    assert (found["a"] == np.rint(PICTURE * 255 / 1023)).all() and (found["b"] == np.rint(PICTURE * 255 / 4095)).all()
    png_16(tmp_path / "c.png", with_top(9000))
    assert opened(tmp_path).depth.bits == 14
    assert (pictures(opened(tmp_path))["a"] == found["a"]).all()


def test_significant_bits_decide_where_the_values_fit(tmp_path):
    png_16(tmp_path / "a.png", with_top(700), 12)
    png_16(tmp_path / "b.png", with_top(600), 12)
    assert depth_of(tmp_path).bits == 12
    png_16(tmp_path / "c.png", with_top(4095))
    assert depth_of(tmp_path).bits == 12
    png_16(tmp_path / "d.png", with_top(4096))
    with pytest.raises(RefusedInput, match=r"state 12 significant bits.*2 others with values up to 4096.*--bits"):
        depth_of(tmp_path)
    assert depth_of(tmp_path, 14).bits == 14


def test_values_brought_to_16_bits_as_png_wants_it_have_16(tmp_path):
    png_16(tmp_path / "a.png", with_top(700) << 6, 10)
    png_16(tmp_path / "dark.png", np.zeros((3, 4)), 10)
    assert depth_of(tmp_path).bits == 16
    png_16(tmp_path / "b.png", with_top(2001), 10)
    with pytest.raises(RefusedInput, match=r"3 images with 10 significant bits.*which these bits do not give"):
        depth_of(tmp_path)


def test_remarks_that_differ_are_refused(tmp_path):
    png_16(tmp_path / "a.png", with_top(700), 10)
    png_16(tmp_path / "b.png", with_top(700), 12)
    with pytest.raises(RefusedInput, match="state 10 and 12 significant bits"):
        depth_of(tmp_path)


@pytest.mark.parametrize("tag", [281, 341])
def test_the_largest_sample_that_a_file_notes_counts_as_a_value(tmp_path, tag):
    tifffile.imwrite(tmp_path / "a.tif", PICTURE.astype(np.uint16), extratags=[(tag, "H", 1, 4095, True)])
    png_16(tmp_path / "b.png", with_top(700))
    assert depth_of(tmp_path).bits == 12


def test_floats(tmp_path):
    Image.fromarray(np.array([[0, 0.2, 0.5]], np.float32)).save(tmp_path / "a.tif")
    Image.fromarray(np.array([[0, 0.2, 1]], np.float32)).save(tmp_path / "b.tif")
    png_16(tmp_path / "c.png", with_top(3000))
    depth = depth_of(tmp_path)
    assert sorted(depth.by_path.values()) == [1, 1, 12]
    Image.fromarray(np.array([[0, 0.2, 1.02]], np.float32)).save(tmp_path / "d.tif")
    with pytest.raises(RefusedInput, match=r"3 images of floats with values up to 1.02"):
        depth_of(tmp_path)
    Image.fromarray(np.array([[0, 0.2, 5000.5]], np.float32)).save(tmp_path / "d.tif")
    assert set(depth_of(tmp_path).by_path.values()) == {14}


def test_files_that_cannot_be_read_count_for_nothing(tmp_path):
    path = png_16(tmp_path / "a.png", with_top(3000))
    path.write_bytes(path.read_bytes()[:60])
    assert depth_of(tmp_path).bits is None
    Image.fromarray(np.array([[-5, 70000]], np.int32)).save(tmp_path / "b.tif")
    png_16(tmp_path / "c.png", with_top(700))
    assert depth_of(tmp_path).bits == 10


def test_a_file_that_changed_is_looked_at_again(tmp_path):
    png_16(tmp_path / "a.png", with_top(700))
    assert depth_of(tmp_path).bits == 10
    png_16(tmp_path / "a.png", np.tile(with_top(3000), (2, 1)))
    assert depth_of(tmp_path).bits == 12


def test_whoever_reads_a_frame_gives_its_depth():
    without = []
    for path in Path(helpers.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "read_frame" and len(node.args) < 3:
                without.append(f"{path}:{node.lineno}")
    assert without == []
