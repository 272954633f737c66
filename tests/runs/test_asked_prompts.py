"""What a run asks of its cases: the same of all, or each its own; and what reads a run knows which."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.evaluation.scored_runs import open_scored_runs
from helpers.runs.asked_prompts import AskedPrompts, other_prompts
from helpers.runs.case_parts import CaseResult, commit_case, mask_name
from helpers.runs.finishing import MANIFEST_NAME, finish_run
from helpers.runs.run_config import SCHEMA_VERSION, config_sha256, differences, start_run
from helpers.runs.run_folder import open_run
from tests.runs.test_case_parts import VALUES, failed, result, row

OWN = {"c1": ("left", "right"), "c2": ("right",), "c3": ("nothing",)}


def write(folder):
    """A run whose first case was asked two prompts, of which the second has no mask; its third case failed."""
    values = {**VALUES, **AskedPrompts.numbered(OWN).to_config()}
    mark = start_run(folder, values).config_sha256
    first = result("c1")
    nothing = {"seg_index": None, "mask_pixels": None, "rle": None, "prompt_id": "p2"}
    commit_case(folder, mark, replace(first, rows=(*first.rows, row("c1", **nothing))))
    commit_case(folder, mark, result("c2"))
    commit_case(folder, mark, failed("c3"))
    assert finish_run(folder, OWN, {})
    return folder


def test_prompts_are_numbered_in_the_order_given():
    shared = AskedPrompts.numbered(["b", "a"])
    assert shared.to_config() == {"prompts": {"p1": "b", "p2": "a"}}
    assert shared.of("c1") == shared.of("other") == {"p1": "b", "p2": "a"}
    own = AskedPrompts.numbered({"c1": ["b", "a"], "c2": ["a"]})
    assert own.to_config() == {"prompts": {}, "case_prompts": {"c1": {"p1": "b", "p2": "a"}, "c2": {"p1": "a"}}}
    assert (own.of("c2"), own.of("other")) == ({"p1": "a"}, {})


@pytest.mark.parametrize("prompts", [[f"word {number}" for number in range(12)], OWN])
def test_a_configuration_gives_them_back_in_order(prompts):
    asked = AskedPrompts.numbered(prompts)
    stored = json.loads(json.dumps(asked.to_config(), sort_keys=True))  # p10 before p2
    again = AskedPrompts.of_config(stored)
    assert again == asked and list(again.shared) == list(asked.shared)


def test_configurations_without_prompts_of_cases_keep_their_hash():
    """That of version 0.1: runs of then go on."""
    assert SCHEMA_VERSION == 1 and VALUES["prompts"] == AskedPrompts.numbered(["vessels"]).to_config()["prompts"]
    assert config_sha256({"prompts": {"p1": "a"}}) == "ae8bf0ddd346f20135a320a320b1863377a25df83535e4ee3d376e7257a50689"


def test_other_prompts_are_told_in_one_line():
    before, now = (AskedPrompts.numbered(own).to_config() for own in (OWN, {**OWN, "c1": ["left"], "c2": ["wide"]}))
    line = "case_prompts: other ones of 2 of 3 cases; as p2 of c1 the run has 'right', asked for was nothing"
    assert differences(before, now) == [line] and differences(before, before) == []
    assert "as p1 of c9 the run has nothing, asked for was 'a'" in other_prompts({}, {"c9": {"p1": "a"}})
    (shared,) = (one for one in differences(before, {"prompts": {"p1": "a"}}) if one.startswith("prompts"))
    assert shared == 'prompts.p1: the run has nothing, asked for was "a"'


def test_a_run_knows_the_prompts_of_each_case(tmp_path):
    run = open_run(write(tmp_path / "run"))
    run.require_whole()
    assert {case_id: tuple(run.asked.of(case_id).values()) for case_id in run.cases()} == OWN
    assert run.mask("c1", "p1").sum() == 3 and run.mask("c1", "p2") is None and run.mask("c3", "p1") is None
    with pytest.raises(UsageProblem, match="got c2 and p2. It has 3 cases and the prompts p1"):
        run.mask("c2", "p2")
    manifest = json.loads((run.folder / MANIFEST_NAME).read_text())
    assert (manifest["cases"], manifest["predictions"]) == (3, 4) and sum(manifest["counts"].values()) == 4
    table = pq.read_table(run.folder / "artefacts.parquet").to_pylist()
    assert [(one["case_id"], one["prompt_id"]) for one in table] == [
        ("c1", "p1"),
        ("c1", "p2"),
        ("c2", "p1"),
        ("c3", "p1"),
    ]
    assert [one["mask_sha256"] is None for one in table] == [False, True, False, True]


def test_coco_has_a_category_for_equal_words_and_annotations_say_the_prompt(tmp_path):
    coco = json.loads((write(tmp_path / "run") / "coco.json").read_text())
    assert coco["categories"] == [
        {"id": 1, "name": "left"},
        {"id": 2, "name": "right"},
        {"id": 3, "name": "nothing"},
    ]
    drawn = [(one["case_id"], one["category_id"], one["prompt_id"]) for one in coco["annotations"]]
    assert drawn == [("c1", 1, "p1"), ("c2", 2, "p1")]


def test_what_compares_cases_by_prompt_refuses_such_a_run(tmp_path):
    run = write(tmp_path / "run")
    for ask in (
        lambda: open_run(run).prompts,
        lambda: open_scored_runs([run]),
        lambda: open_scored_runs([run], None, "p1"),
    ):
        with pytest.raises(RefusedInput, match="found one that asked each case its own, as `vesselkit refseg` does"):
            ask()


def test_a_spoilt_mask_of_a_case_with_own_prompts_is_noticed(tmp_path):
    run = write(tmp_path / "run")
    (run / mask_name("c1", "p1")).write_bytes((run / mask_name("c2", "p1")).read_bytes() + b"x")
    with pytest.raises(RefusedInput, match="in 1 of 3 cases: c1"):
        open_run(run).require_whole()
    open_run(run).require_whole(["c2", "c3"])


def test_rows_of_the_same_words_are_another_prompt_of_each_case():
    with pytest.raises(ValueError, match="logits and masks for the prompts"):
        CaseResult("c1", (row("c1"),), {}, {"p2": np.ones((2, 3), bool)}, {})
