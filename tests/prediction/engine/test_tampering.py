"""Whatever becomes of a file of a finished run: it is refused, or all that is read is what was written."""

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.core.errors import RefusedInput
from helpers.runs.run_folder import open_run
from tests.support.drawn_frames import draw_frames
from tests.support.plain_predictor import PlainPredictor, compute
from tests.support.run_files import run_files

KINDS = (
    "masks/*/*.png", "logits/*/*.npz", "parts/*.json", "sources/*.json", "timings/*.json", "predictions.parquet",
    "artefacts.parquet", "timings.parquet", "coco.json", "run.json", "manifest.json",
)  # fmt: skip
OPERATIONS = ("swap", "other run", "flip", "cut", "lengthen", "empty", "delete", "add")
# Compared by what they mean: blanks of the first, and texts of the second on who made the run and when, are no results.
MEANT = {"run.json", "manifest.json"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Frames and their run; then a run of other frames under the same case ids and configuration."""
    folder = tmp_path_factory.mktemp("made")
    for name, marks in (("data", [1, 2, 3, 4]), ("others", [5, 6, 7, 8])):
        (folder / name).mkdir()
        frames = draw_frames(folder / name, marks)
        compute(frames, folder / f"run of {name}")
        if name == "data":
            kept = frames
    return kept, folder


def used(folder):
    """All that readers get of a run."""
    run = open_run(folder)
    run.require_whole()
    pairs = [(case_id, prompt_id) for case_id in run.cases() for prompt_id in run.prompts]
    arrays = [array for pair in pairs for array in (run.mask(*pair), run.full_map(*pair)) if array is not None]
    told = [run.rows, run.config, run.mixture, run.unchecked, run.timings().to_dict("list"), run.image_hashes]
    return told, [run.fingerprint(*pair) for pair in pairs], [(array.dtype, array.tobytes()) for array in arrays]


def tamper(run, other, draw):
    """Do something to a file of a run, drawn at random."""
    found = {kind: sorted(run.glob(kind)) for kind in KINDS}
    path = draw(st.sampled_from(draw(st.sampled_from([paths for paths in found.values() if paths]))))
    content = bytearray(path.read_bytes())
    match draw(st.sampled_from(OPERATIONS if content else ("swap", "other run", "delete", "add"))):
        case "swap":
            folder = path.relative_to(run).parts[0]
            second = draw(st.sampled_from(sorted(run.glob(f"{folder}/**/*{path.suffix}")) or [path]))
            path.write_bytes(second.read_bytes())
            second.write_bytes(content)
        case "other run":
            shutil.copy(other / path.relative_to(run) if (other / path.relative_to(run)).exists() else path, run / "x")
            (run / "x").replace(path)
        case "flip":
            content[draw(st.integers(0, len(content) - 1))] ^= 1 << draw(st.integers(0, 7))
            path.write_bytes(content)
        case "cut":
            path.write_bytes(content[: draw(st.integers(0, len(content) - 1))])
        case "lengthen":
            path.write_bytes(content + draw(st.binary(min_size=1, max_size=9)))
        case "empty":
            path.write_bytes(b"")
        case "delete":
            path.unlink()
        case "add":
            shutil.copy(path, path.with_name(f"x{path.name}"))


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(data=st.data(), times=st.integers(1, 3))
def test_a_changed_run_is_refused_or_read_as_it_was_written(made, tmp_path_factory, data, times):
    whole, run = made[1] / "run of data", tmp_path_factory.mktemp("used") / "run"
    shutil.copytree(whole, run)
    for _ in range(times):
        tamper(run, made[1] / "run of others", data.draw)
    try:
        found = used(run)
    except RefusedInput as error:
        assert str(run) in str(error) and "redict" in str(error) or "command again" in str(error)
    else:
        assert found == used(whole)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(data=st.data(), times=st.integers(1, 3))
def test_the_same_command_mends_a_changed_run_or_refuses_it(made, tmp_path_factory, data, times):
    frames, folder = made
    whole, run = folder / "run of data", tmp_path_factory.mktemp("mended") / "run"
    shutil.copytree(whole, run)
    for _ in range(times):
        tamper(run, folder / "run of others", data.draw)
    try:
        compute(frames, run, PlainPredictor())
    except RefusedInput as error:
        assert str(run) in str(error)
        return
    before, after = (
        {name: content for name, content in run_files(one).items() if name not in MEANT} for one in (whole, run)
    )
    assert {name: after[name] for name in before} == before
    assert open_run(run).config == open_run(whole).config and used(run)[1:] == used(whole)[1:]


def test_masks_of_a_run_of_other_frames_are_other_ones(made):
    """So that a file of the other run is a change."""
    one, other = (open_run(made[1] / f"run of {name}") for name in ("data", "others"))
    assert one.config == other.config and not np.array_equal(one.full_map("c01", "p1"), other.full_map("c01", "p1"))
