"""Data set, batches, metric and hooks, without a model."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.registry import DATA_SAMPLERS, DATASETS, HOOKS, METRICS, MODELS, RUNNERS
from mmengine.structures import BaseDataElement

from helpers.core.errors import UsageProblem, VesselkitError
from helpers.data.frames.frame import Frame
from helpers.train.test_route import FixedBatches, FrameDataset, PanelHook, VesselMetric
from helpers.train.test_route.test_command import metrics_text, require_predicted
from tests.support.vessel_runs import SIDE, write_data


@pytest.fixture
def dataset(tmp_path):
    write_data(tmp_path / "data")
    return FrameDataset(str(tmp_path / "data"))


def samples(dataset, mask=None):
    """Each case's own truth as its prediction, or the mask given."""
    return [
        {
            "case_id": case.case_id,
            "mask": case.truth.mask(SIDE, SIDE) if mask is None else mask,
            "logits": np.zeros((SIDE, SIDE), np.float32),
            "status": "ok",
            "text": None,
        }
        for case in dataset.opened.cases
    ]


def metric_of(dataset):
    metric = VesselMetric()
    metric.dataset_meta = dataset.metainfo
    return metric


@pytest.mark.parametrize(
    ("registry", "name"),
    [
        (DATASETS, "FrameDataset"),
        (DATA_SAMPLERS, "FixedBatches"),
        (METRICS, "VesselMetric"),
        (MODELS, "Sa2VAForPrediction"),
        (HOOKS, "ComposeHook"),
        (HOOKS, "PanelHook"),
        (RUNNERS, "Runner"),
    ],
)
def test_mmengine_finds_the_parts_by_their_scope(registry, name):
    assert registry.get(f"vesselkit.{name}").__module__.startswith("helpers.train.test_route.")


def test_items_hold_frames_without_ground_truth(dataset):
    assert len(dataset) == 12
    assert dataset[3].keys() == {"frame"} and isinstance(dataset[3]["frame"], Frame)
    assert not hasattr(dataset[3]["frame"], "truth")


@pytest.mark.parametrize(("world", "expected"), [(1, [[0, 1], [2, 3], [4]]), (2, [[0, 1], [4]]), (4, [[0, 1]])])
def test_processes_share_whole_batches_and_repeat_none(monkeypatch, world, expected):
    found = []
    for rank in range(world):
        monkeypatch.setattr("helpers.train.test_route.frame_dataset.get_dist_info", lambda rank=rank: (rank, world))
        found.append(list(FixedBatches(SimpleNamespace(dataset=range(5)), 2)))
    assert found[0] == expected
    assert sorted(index for batches in found for batch in batches for index in batch) == list(range(5))


def test_a_limit_takes_the_first_cases(dataset, tmp_path):
    few = FrameDataset(str(tmp_path / "data"), limit=2)
    assert few.opened.frames == dataset.opened.frames[:2]
    with pytest.raises(UsageProblem, match="limit"):
        FrameDataset(str(tmp_path / "data"), limit=0)


def test_truths_as_predictions_score_one_and_failures_count_as_empty(dataset):
    metric = metric_of(dataset)
    given = samples(dataset)
    given[0] |= {"mask": None, "logits": None}
    metric.process({}, given)
    found = metric.evaluate(len(dataset))
    assert found["vessel/dice"] == pytest.approx(11 / 12)
    assert (found["vessel/n_cases"], found["vessel/n_failed"], found["vessel/n_scored"]) == (12, 1, 11)


@pytest.mark.parametrize("failed", [1, 12])
def test_a_test_of_errors_alone_is_not_called_done(dataset, failed):
    metric = metric_of(dataset)
    given = samples(dataset)
    for sample in given[:failed]:
        sample |= {"mask": None, "logits": None, "status": "error", "text": "the model broke"}
    metric.process({}, given)
    found = metric.evaluate(len(dataset))
    assert found["vessel/n_errors"] == failed
    with nullcontext() if failed < 12 else pytest.raises(VesselkitError, match="every one of 12 cases"):
        require_predicted(found)


def test_looks_at_sealed_patients_are_counted(tmp_path):
    write_data(tmp_path / "data")
    split = {"parts": {"train": ["P01"], "test": ["P02"]}}
    rules = {"schema": "vesselkit.dataset", "schema_version": 2, "ids": "public", "layout": "paired", "split": split}
    (tmp_path / "data" / "dataset.json").write_text(json.dumps(rules))
    test = FrameDataset(str(tmp_path / "data"), split="test")
    for mask, number, again in ((None, 1, 0), (None, 1, 1), (np.ones((SIDE, SIDE), bool), 2, 0)):
        metric = metric_of(test)
        metric.process({}, samples(test, mask))
        found = metric.evaluate(len(test))
        assert (found["vessel/n_looks"], found["vessel/look_again"]) == (number, again)
    assert "\nsecond look at this test set\n" in metrics_text(found)
    train = FrameDataset(str(tmp_path / "data"), split="train")
    metric = metric_of(train)
    metric.process({}, samples(train))
    assert "vessel/n_looks" not in metric.evaluate(len(train))


def test_a_case_that_comes_twice_counts_once(dataset):
    metric = metric_of(dataset)
    metric.process({}, samples(dataset))
    once = metric.compute_metrics(metric.results)
    assert metric.compute_metrics(metric.results + metric.results[:3]) == once


def test_a_case_that_never_came_is_no_failure_but_an_error(dataset):
    metric = metric_of(dataset)
    metric.process({}, samples(dataset)[1:])
    with pytest.raises(VesselkitError, match="none of 1, the first P01_S01_001"):
        metric.compute_metrics(metric.results)


def test_panels_are_named_by_case_and_a_failed_case_has_one(dataset, tmp_path):
    hook = PanelHook(count=2)
    runner = SimpleNamespace(test_dataloader=SimpleNamespace(dataset=dataset), work_dir=tmp_path)
    hook.before_test_epoch(runner)
    elements = []
    for sample, mask in zip(samples(dataset), [np.ones((SIDE, SIDE), bool), None, None], strict=False):
        element = BaseDataElement(metainfo={"case_id": sample["case_id"], "status": "ok", "text": None})
        element.mask = mask
        elements.append(element)
    hook.after_test_iter(runner, 0, {}, elements)
    assert sorted(path.name for path in (tmp_path / "panels").iterdir()) == ["P01_S01_001.png", "P01_S01_002.png"]
