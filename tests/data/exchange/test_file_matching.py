"""Files find their cases by id, path or stem; what fits twice is refused."""

from pathlib import Path

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.exchange.file_matching import match
from helpers.data.frames.frame import Frame

ROOT = Path("set")


def frames(*names):
    return [Frame(f"C{number}", ROOT / name) for number, name in enumerate(names, start=1)]


@pytest.mark.parametrize(
    "name", ["C1.png", "deep/C1.npz", "a.png", "a_mask.png", "a-PRED.npz", "images/a.png", "x/images/a_prob.npy"]
)
def test_a_file_of_one_case(name):
    assert match(frames("images/a.png", "images/b.png"), ROOT, [name]) == ({"C1": name}, 0)


def test_folders_tell_equal_stems_apart():
    given = frames("images/p1/x.png", "images/p2/x.png")
    assert match(given, ROOT, ["p2/x.png", "p1/x_seg.png"])[0] == {"C1": "p1/x_seg.png", "C2": "p2/x.png"}
    with pytest.raises(RefusedInput, match="2 have such a name"):
        match(given, ROOT, ["x.png"])


def test_two_files_of_one_case():
    with pytest.raises(RefusedInput, match="expected one file for case C1"):
        match(frames("a.png"), ROOT, ["a.png", "a_mask.png"])


def test_an_ending_is_part_of_the_name_where_a_frame_has_it():
    assert match(frames("a.png", "a_mask.png"), ROOT, ["a_mask.png", "a.npz"])[0] == {"C1": "a.npz", "C2": "a_mask.png"}


def test_strays_are_counted_and_parts_of_names_do_not_count():
    assert match(frames("a.png"), ROOT, ["b.png", "aa.png", "_mask.png", "mask.png"]) == ({}, 4)


def test_frames_of_one_file_go_by_case_id():
    given = [Frame("C1", ROOT / "run.avi", 0), Frame("C2", ROOT / "run.avi", 1)]
    assert match(given, ROOT, ["run.png", "C2.png"]) == ({"C2": "C2.png"}, 1)


@pytest.mark.parametrize(
    ("given", "names", "expected"),
    [
        (["t0_0000.png", "t1_0000.png"], ["t0.png", "deep/t1.npz"], {"C1": "t0.png", "C2": "deep/t1.npz"}),
        (["imagesTs/t0_0000.png"], ["t0_0000.png"], {"C1": "t0_0000.png"}),
        (["t0_0000.png", "t0.png"], ["t0.png"], {"C2": "t0.png"}),
        (["t0_0001.png"], ["t0.png"], {}),
        (["t0_000.png", "t00000.png"], ["t0.png"], {}),
    ],
)
def test_the_first_channel_of_an_image_has_its_name(given, names, expected):
    assert match(frames(*given), ROOT, names) == (expected, len(names) - len(expected))


def test_frames_that_are_numbered_so_are_no_channels():
    with pytest.raises(RefusedInput, match="2 have such a name"):
        match(frames("t0_0000.png", "t0_0001.png"), ROOT, ["t0.png"])


def test_a_folder_that_is_another_frame_s_speaks_against_the_frame_of_that_name():
    given = frames("A/1.png", "B/2.png")
    assert match(given, ROOT, ["B/1.png", "masks/A/1.png", "fold_0/2.png"])[0] == {
        "C1": "masks/A/1.png",
        "C2": "fold_0/2.png",
    }
    assert match(given, ROOT, ["B/1.png"]) == ({}, 1)
    own = [Frame("1", ROOT / "A/1.png")]  # whose id is its file's name
    for name, fits in {"B/1.png": False, "A/1.png": True, "x/A/1.png": True, "images/1.png": True}.items():
        for named in (given[:1], own):
            assert bool(match(named, ROOT, [name], stated=True)[0]) is fits
    assert match(given, ROOT, ["anywhere/C1.png"], stated=True) == ({"C1": "anywhere/C1.png"}, 0)
    assert match(frames("images/1.png"), ROOT, ["theirs/1.png"], stated=True)[0] == {"C1": "theirs/1.png"}
