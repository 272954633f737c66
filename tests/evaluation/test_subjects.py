"""Equal ids of runs and data set mean equal frames, or nothing is scored."""

import shutil

import pytest
from PIL import Image, ImageOps

from helpers.data.dataset import open_dataset
from helpers.errors import RefusedInput
from helpers.evaluation import subjects as module
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.subjects import open_subjects, require_same_frames
from helpers.inference.run import predict
from tests.evaluation.runs import write_data, write_run
from tests.inference.plain_predictor import PlainPredictor


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


def run_of(data, folder):
    predict(data.frames, PlainPredictor(), folder)
    return folder


def with_inverted(data, folder, numbers):
    """A copy of a data set in which some frames, by position, show something else."""
    shutil.copytree(data.root, folder)
    for number in numbers:
        path = folder / data.frames[number].path.relative_to(data.root)
        ImageOps.invert(Image.open(path).convert("RGB")).save(path)
    return open_dataset(folder)


def test_runs_of_other_data_with_the_same_kept_ids_are_refused(data, tmp_path):
    first = run_of(data, tmp_path / "first")
    second = run_of(with_inverted(data, tmp_path / "other", [2, 5]), tmp_path / "second")
    assert len(open_subjects([first, first], names=["a", "b"])) == 2
    said = f"first and second: .* other pixels in 2 of 12 common cases, the first {data.frames[2].case_id}"
    with pytest.raises(RefusedInput, match=said):
        open_subjects([first, second])


def test_runs_of_one_name_are_numbered_past_names_that_are_taken(tmp_path):
    folders = [write_run(tmp_path / name, {"a": None}) for name in ("x/run", "y/run", "z/run-2", "z/run")]
    assert [subject.name for subject in open_subjects(folders)] == ["run", "run-2", "run-2-2", "run-3"]


def test_a_run_is_not_scored_on_other_frames_than_it_was_made_for(data, tmp_path):
    run = run_of(data, tmp_path / "run")
    other = with_inverted(data, tmp_path / "other", [4])
    with pytest.raises(RefusedInput, match=rf"other pixels in 1 of 12 cases .* the first {data.frames[4].case_id}"):
        evaluate([run], other, tmp_path / "m", processes=1)
    assert not (tmp_path / "m").exists()


def test_frames_are_read_only_where_their_files_are_not_as_found(data, tmp_path, monkeypatch):
    subjects = open_subjects([run_of(data, tmp_path / "run")])
    copied = with_inverted(data, tmp_path / "copied", [])
    (copied.root / copied.frames[0].path.relative_to(copied.root)).write_bytes(b"unreadable now")
    read = []
    monkeypatch.setattr(module, "current_sha256", lambda frame: read.append(frame.case_id))
    require_same_frames(subjects, data, [frame.case_id for frame in data.frames])
    assert read == []
    require_same_frames(subjects, copied, [frame.case_id for frame in copied.frames[:3]])
    assert read == [frame.case_id for frame in copied.frames[:3]]
