"""Data sets of synthetic frames: every layout read again."""

import json

import numpy as np
import pytest

from helpers.cli.app import main
from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import SynthLayout
from helpers.data.dataset import open_dataset
from helpers.data.truth.shapes import draw_polygons, polygons
from helpers.dev.synthesis.data_set_writing import Recipe, write_dataset
from helpers.dev.synthesis.sequence import draw_frame

_RECIPE = Recipe(patients=6, sequences=1, frames=1, seed=3, size=96)


@pytest.mark.slow
@pytest.mark.parametrize("layout", SynthLayout)
def test_layouts_are_read_again(tmp_path, layout):
    write_dataset(_RECIPE, layout, tmp_path / "set")
    opened = open_dataset(tmp_path / "set")
    assert opened.layout == layout
    assert [case.frame.patient for case in opened.cases] == [f"P{n:03d}" for n in range(1, 7)]
    assert [case.frame.split for case in opened.cases] == ["train"] * 4 + ["val", "test"]
    seen = 0
    for number, case in enumerate(opened.cases, 1):
        frame = draw_frame(3, number, 1, 1, 96)
        assert case.frame.case_id == frame.frame_id
        assert np.array_equal(case.truth.mask(96, 96), frame.mask)
        seen += frame.mask.sum()
    assert seen > 0


def test_polygons_leave_holes_open():
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:12, 3:15] = True
    mask[4:7, 5:9] = mask[8:10, 10:13] = False
    mask[15, 15] = mask[16, 16] = mask[19, 0] = True
    assert np.array_equal(draw_polygons(polygons(mask), 20, 20), mask)


def test_record_states_shares_and_ranges(tmp_path):
    record = write_dataset(_RECIPE, SynthLayout.PAIRED, tmp_path / "set")
    assert json.loads((tmp_path / "set" / "synthesis.json").read_text()) == record
    assert record["frames"] == {"train": 4, "val": 1, "test": 1}
    assert set(record["shares_of_frames"]) == {
        *("without_contrast", "catheter", "wires", "stenosis", "occlusion", "subtracted")
    }
    assert record["recipe"]["generator"] == "1" and record["shares_of_frames"]["occlusion"] == 0
    (frame_id, lesions), *_ = record["lesions"].items()
    assert frame_id.startswith("P00") and {lesion["kind"] for lesion in lesions} == {"stenosis"}
    assert all(0 <= share <= 1 for share in record["shares_of_frames"].values())


@pytest.mark.slow
def test_command(tmp_path, capsys):
    out = tmp_path / "set"
    call = [
        "dev",
        "synth",
        "--patients",
        "1",
        "--frames",
        "1",
        "--sequences-each",
        "2",
        "--size",
        "64",
        "--output",
        str(out),
    ]
    main_exit = _exit_code([*call, "--processes", "2"])
    assert main_exit == 0
    assert "2 train" in capsys.readouterr().out
    assert len(list(out.glob("train/masks/*.png"))) == 2
    assert _exit_code(call) == RefusedInput.exit_code


def _exit_code(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code or 0
