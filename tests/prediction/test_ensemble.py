"""A frame predicted again, mirrored or with other words, beside a prediction that stays what it is."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Ensemble
from helpers.prediction.engine.case_result import members_of
from helpers.prediction.ensemble import check_ensemble, parse_ensemble, passes
from helpers.prediction.flipping_predictor import FLIPS as MIRRORED
from helpers.prediction.predictor import FramePrediction
from helpers.prediction.work_shards import WorkShard
from helpers.runs.run_folder import open_run
from helpers.runs.stored_maps import Upsampling
from tests.support.plain_predictor import PlainPredictor, compute
from tests.support.run_files import run_files

FLIPS, BOTH = (Ensemble.FLIPS,), (Ensemble.FLIPS, Ensemble.PROMPTS)


class EvenPredictor(PlainPredictor):
    """Takes each pixel by itself, wherever it lies."""

    def prepare(self, image):
        return np.asarray(image)[..., 0]


class LeftPredictor(EvenPredictor):
    """Not equivariant: finds nothing right of the middle."""

    def _answer(self, red):
        answer = super()._answer(red)
        columns = np.arange(red.shape[1]) < red.shape[1] / 2
        return replace(answer, logits=np.where(columns, 20.0, -20.0)[None, None] + 0 * answer.logits)


class WordPredictor(EvenPredictor):
    """Finds everything where it is asked for vessels, and nothing where it is asked for anything else."""

    def predict(self, prepared, prompts):
        found = super().predict(prepared, prompts)
        return [
            [
                replace(answer, logits=0 * answer.logits + (20.0 if "vessels" in prompt else -20.0))
                for answer, prompt in zip(answers, prompts, strict=True)
            ]
            for answers in found
        ]


def test_an_equivariant_predictor_never_disagrees_with_itself(frames, tmp_path):
    compute(frames, tmp_path / "run", EvenPredictor(), ensemble=FLIPS)
    run = open_run(tmp_path / "run")
    assert {(row.members, row.disagreement) for row in run.rows} == {(4, 0.0)}
    assert not any(run.spread(case_id, "p1").any() for case_id in run.cases())


def test_the_masks_are_those_of_a_run_without_an_ensemble(frames, tmp_path):
    for name, ensemble in (("plain", ()), ("flips", FLIPS)):
        compute(frames, tmp_path / name, LeftPredictor(), ensemble=ensemble)
    plain, flips = run_files(tmp_path / "plain"), run_files(tmp_path / "flips")
    drawn = [name for name in plain if name.startswith(("masks/", "logits/"))]
    assert drawn and all(plain[name] == flips[name] for name in drawn)
    assert {name for name in flips if name.startswith("spreads/")} == {f"spreads/c0{n}/p1.png" for n in range(1, 8)}
    assert open_run(tmp_path / "plain").spread("c01", "p1") is None


def test_what_mirroring_moves_is_disagreement_at_its_pixels(frames, tmp_path):
    """Two of the three mirrored answers find the other half: 0, 1 and 1 of it, and every pixel is half and half."""
    compute(frames, tmp_path / "run", LeftPredictor(), ensemble=FLIPS)
    run = open_run(tmp_path / "run")
    assert run.rows[0].disagreement == pytest.approx(2 / 3, abs=1e-6)
    assert run.spread("c01", "p1") == pytest.approx(np.full_like(run.spread("c01", "p1"), 0.5))


def test_prompts_are_members_of_each_other(frames, tmp_path):
    prompts = ["vessels", "all vessels", "nothing"]
    compute(frames, tmp_path / "run", WordPredictor(), prompts=prompts, ensemble=BOTH)
    found = {row.prompt_id: (row.members, row.disagreement) for row in open_run(tmp_path / "run").rows}
    assert found == {
        "p1": (12, pytest.approx(4 / 11)),
        "p2": (12, pytest.approx(4 / 11)),
        "p3": (12, pytest.approx(8 / 11)),
    }


@pytest.mark.parametrize(
    "members, count", [(lambda logits: logits[:0], 4), (lambda logits: logits * np.nan, 1)], ids=["no [SEG]", "NaN"]
)
def test_a_member_without_seg_found_nothing_and_one_that_is_not_finite_is_missed(frames, tmp_path, members, count):
    class Mirrored(EvenPredictor):
        def predict(self, prepared, prompts):
            found = super().predict(prepared, prompts)
            if len(self.batches) % 4 == 1:
                return found
            return [[replace(one, logits=members(one.logits)) for one in answers] for answers in found]

    compute(frames[:2], tmp_path / "run", Mirrored(), ensemble=FLIPS)
    row = open_run(tmp_path / "run").rows[0]
    assert str(row.status) == "ok" and row.members == (None if count < 2 else count)
    assert row.disagreement is None if count < 2 else row.disagreement == pytest.approx(1.0)


def test_shards_and_interrupted_runs_equal_one_process(frames, tmp_path):
    options = {"prompts": ["vessels", "tubes"], "ensemble": BOTH}
    compute(frames, tmp_path / "whole", LeftPredictor(), **options)
    for number in (2, 1):
        compute(frames, tmp_path / "shards", LeftPredictor(), shard=WorkShard(number, 2), **options)
    compute(frames, tmp_path / "again", LeftPredictor(), limit=3, **options)
    for leftover in ("spreads/c05/p1.png", "spreads/c05/.partial-p1.png-12345678"):
        (tmp_path / "again" / leftover).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "again" / leftover).write_bytes(b"half")
    (tmp_path / "again" / "spreads" / "c02" / "p1.png").write_bytes(b"changed")
    compute(frames, tmp_path / "again", LeftPredictor(), **options)
    whole = {name: content for name, content in run_files(tmp_path / "whole").items() if name != "run.json"}
    assert run_files(tmp_path / "shards") == run_files(tmp_path / "whole")
    spreads = [name for name in whole if name.startswith("spreads/")]
    again = run_files(tmp_path / "again")
    assert len(spreads) == 14 and all(again[name] == whole[name] for name in spreads)
    assert {name for name in again if name.startswith("spreads/")} == set(spreads)


def test_a_run_goes_on_with_its_own_ensemble_only_and_a_changed_map_is_refused(frames, tmp_path):
    compute(frames[:3], tmp_path / "run", LeftPredictor(), ensemble=FLIPS)
    with pytest.raises(RefusedInput, match="ensemble"):
        compute(frames[:3], tmp_path / "run", LeftPredictor())
    run = open_run(tmp_path / "run")
    (tmp_path / "run" / "spreads" / "c01" / "p1.png").write_bytes((tmp_path / "run" / "masks/c01/p1.png").read_bytes())
    with pytest.raises(RefusedInput, match=r"p1\.png"):
        run.spread("c01", "p1")


def test_words_of_an_ensemble():
    assert parse_ensemble(None) == parse_ensemble("") == ()
    assert parse_ensemble("prompts, flips") == BOTH
    assert passes(BOTH) == len(MIRRORED) and passes(()) == passes((Ensemble.PROMPTS,)) == 1
    for wrong in ("flip", "flips,flips", "flips,sided-flips", "flips,"):
        with pytest.raises(UsageProblem, match="ensemble: expected"):
            parse_ensemble(wrong)


@pytest.mark.parametrize(
    "prompt", ["Segment the left coronary artery.", "the RCA", "vessels of the UPPER half", "左冠状动脉", "上方的血管"]
)
def test_flips_are_refused_for_prompts_that_name_a_side(prompt):
    with pytest.raises(UsageProblem, match="sided-flips"):
        check_ensemble(FLIPS, [prompt])
    check_ensemble((Ensemble.SIDED_FLIPS,), [prompt])


def test_other_prompts_pass_and_prompts_need_two():
    check_ensemble(FLIPS, ["Please segment the blood vessels.", "bright leftover tubes, upright", "请分割以上血管"])
    check_ensemble(BOTH, ["a", "b"])
    with pytest.raises(UsageProblem, match="got 1"):
        check_ensemble(BOTH, ["a"])


def test_members_of_other_prompts_come_with_their_own():
    first, second = (FramePrediction(text, False, np.zeros((1, 2, 2)), Upsampling.NONE) for text in "ab")
    own = replace(first, members=(second,))
    assert members_of(own, [replace(second, members=(first,))]) == [
        own,
        second,
        replace(second, members=(first,)),
        first,
    ]
