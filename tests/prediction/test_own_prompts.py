"""Runs whose cases have prompts of their own: as any run, however they are stopped, split or limited."""

import json

import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Mode
from helpers.prediction.run import check_own_prompts, check_parameters
from helpers.prediction.work_shards import WorkShard
from helpers.runs.case_parts import mask_name
from helpers.runs.run_folder import open_run
from tests.support.plain_predictor import MARKS, PlainPredictor, compute
from tests.support.run_files import run_files

OWN = {f"c{mark:02d}": [f"word {number}" for number in range(1 + mark % 3)] for mark in MARKS}  # 2, 3, 1, 2, 3, 1, 2


class EachPredictor(PlainPredictor):
    """Takes prompts of each frame; `asked` has them for each call."""

    def __init__(self, faults=None, most=None):
        super().__init__(faults, most)
        self.asked = []

    def predict_each(self, prepared, prompts):
        self.asked.append([tuple(own) for own in prompts])
        answers = self.predict(prepared, ["any"])
        return [one * len(own) for one, own in zip(answers, prompts, strict=True)]


def asked(frames, folder, **options):
    """Predict, and give the prompts of each frame of each call."""
    predictor = EachPredictor()
    compute(frames, folder, predictor, **{"prompts": OWN, **options})
    return predictor.asked


def test_each_case_has_its_own_rows_and_the_summary_counts_them(frames, tmp_path):
    predictor = EachPredictor()
    summary = compute(frames, tmp_path / "run", predictor, prompts=OWN)
    table = open_run(tmp_path / "run").table()
    expected = [[case_id, f"p{number}"] for case_id, own in OWN.items() for number, _ in enumerate(own, start=1)]
    assert table[["case_id", "prompt_id"]].values.tolist() == expected
    assert summary.to_text().startswith("7 cases with 14 prompts of their own: 14 ok\nwritten to ")
    assert predictor.batches == [[1, 2], [3, 4], [5, 6], [7]], "a batch is one call"
    assert predictor.asked[0] == [("word 0", "word 1"), ("word 0", "word 1", "word 2")]


def test_a_predictor_that_takes_no_prompts_of_each_frame_is_asked_by_equal_prompts(frames, tmp_path):
    predictor = PlainPredictor()
    compute(frames, tmp_path / "run", predictor, prompts=OWN, batch_size=7)
    assert predictor.batches == [[1, 4, 7], [2, 5], [3, 6]]
    compute(frames, tmp_path / "each", EachPredictor(), prompts=OWN, batch_size=7)
    assert run_files(tmp_path / "run") == run_files(tmp_path / "each")


def test_a_run_that_was_stopped_equals_one_that_was_not(frames, tmp_path):
    asked(frames, tmp_path / "whole")
    folder = tmp_path / "run"
    asked(frames, folder)
    for name in ("manifest.json", "parts/c03.json", "parts/c07.json", mask_name("c06", "p1")):
        (folder / name).unlink()
    # The last batch is a single frame, of which the predictor is asked as ever.
    assert asked(frames, folder) == [
        [("word 0",), ("word 0", "word 1")],
        [("word 0", "word 1", "word 2"), ("word 0",)],
    ]
    assert run_files(folder) == run_files(tmp_path / "whole")
    assert asked(frames, folder) == []


def test_shards_together_equal_one_process(frames, tmp_path):
    asked(frames, tmp_path / "whole")
    for index in (2, 1):
        asked(frames, tmp_path / "run", shard=WorkShard(index, 2))
    assert run_files(tmp_path / "run") == run_files(tmp_path / "whole")


def test_a_run_of_the_first_cases_goes_on_with_the_others(frames, tmp_path):
    asked(frames, tmp_path / "run", limit=4)
    run = open_run(tmp_path / "run")
    assert run.manifest["predictions"] == 8 and len(run.cases()) == 4
    assert len(asked(frames, tmp_path / "run")) == 1, "of the last two batches one has a single frame"
    assert open_run(tmp_path / "run").manifest["predictions"] == 14


def test_other_words_of_one_case_are_another_run(frames, tmp_path):
    asked(frames, tmp_path / "run")
    with pytest.raises(
        RefusedInput, match=r"case_prompts: other ones of 1 of 7 cases; as p1 of c03 the run has 'word 0'"
    ):
        asked(frames, tmp_path / "run", prompts={**OWN, "c03": ["another"]})
    with pytest.raises(RefusedInput, match="case_prompts: other ones of 7 of 7 cases; as p1 of c01 .* was nothing"):
        compute(frames, tmp_path / "run")


def test_every_case_must_have_prompts_that_can_be_asked(frames, tmp_path):
    with pytest.raises(UsageProblem, match="of each of 7 cases and of no other, got those of 6; on one side only: c03"):
        asked(frames, tmp_path / "run", prompts={name: own for name, own in OWN.items() if name != "c03"})
    with pytest.raises(UsageProblem, match="got those of 8; on one side only: x"):
        asked(frames, tmp_path / "run", prompts={**OWN, "x": ["a"]})
    for own, said in (
        ([], "a text such as"),
        (["a", "a"], "each text once"),
        (["[SEG]"], "words, got the model's own"),
    ):
        with pytest.raises(UsageProblem, match=f"^prompt of c03: expected {said}"):
            check_parameters({**OWN, "c03": own}, 0.5)
    with pytest.raises(UsageProblem, match="mode track: asks whole sequences"):
        check_own_prompts(OWN, frames, Mode.TRACK)
    check_own_prompts(["a"], frames, Mode.TRACK)
    assert not (tmp_path / "run").exists()


def test_a_prompt_that_fails_leaves_those_beside_it(frames, tmp_path):
    class Picky(PlainPredictor):
        def predict(self, prepared, prompts):
            if "word 1" in prompts:
                raise ValueError("no")
            return super().predict(prepared, prompts)

    compute(frames, tmp_path / "own", Picky(), prompts=OWN)
    compute(frames, tmp_path / "shared", Picky(), prompts=["word 0", "word 1"])
    for name in ("own", "shared"):
        rows = open_run(tmp_path / name).rows
        assert [str(row.status) for row in rows if row.case_id == "c01"] == ["ok", "error"]


def test_the_configuration_holds_words_and_no_name_of_a_file(frames, tmp_path):
    asked(frames, tmp_path / "run")
    config = json.loads((tmp_path / "run/run.json").read_text())
    assert config["schema_version"] == 1 and config["config"]["prompts"] == {}
    assert config["config"]["case_prompts"]["c01"] == {"p1": "word 0", "p2": "word 1"}
    assert "Doe" not in (tmp_path / "run/run.json").read_text()
