"""mmengine's route gives the numbers of `vesselkit evaluate`."""

import json
import subprocess
import sys

import mmengine.runner
import pytest
from mmengine.config import Config
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.metrics.definitions import METRICS
from helpers.train.test_route.test_command import metrics_text, run_test
from tests.support.fixture_model import ENVIRONMENT, ROOT, run
from tests.support.tiny_sources import fixture_sources

CONFIG = ROOT / "helpers/train/configs/evaluate_sa2va.py"


def options(scored, **changes):
    return {"test_dataloader.dataset.data": str(scored.data), "model.device": "cpu", **changes}


def composing():
    sources = fixture_sources()
    named = {"base": sources.base, "sam2": sources.sam2, "sam2_config": sources.sizes}
    return sources.checkpoint, {f"model.{name}": str(path) for name, path in named.items()}


def assert_equal_numbers(metrics, scored):
    compared = 0
    for name in (*METRICS, "ciou", "giou"):
        for end, column in (("", "mean"), ("_low", "low"), ("_high", "high")):
            expected = scored.rows[name][column]
            if expected is None:
                assert f"vessel/{name}{end}" not in metrics
            else:
                assert metrics[f"vessel/{name}{end}"] == pytest.approx(expected, abs=1e-6)
                compared += 1
    assert compared > 20 and metrics["vessel/n_cases"] == scored.rows["dice"]["n_cases"] == 4


def test_numbers_equal_those_of_evaluate(scored, tmp_path):
    metrics = run_test(CONFIG, work_dir=tmp_path, options=options(scored, **{"model.model_dir": str(scored.model)}))
    assert_equal_numbers(metrics, scored)
    assert f"Dice: {scored.rows['dice']['mean']:.3f}" in metrics_text(metrics)
    distance = scored.rows["hd95_px"]
    assert metrics["vessel/hd95_px_median"] == pytest.approx(distance["median"], abs=1e-6)
    assert metrics["vessel/hd95_px_n_infinite"] == distance["n_infinite"]
    assert f"(median {distance['median']:.3f}" in metrics_text(metrics)
    panels = sorted(path.name for path in (tmp_path / "panels").iterdir())
    assert panels == [f"image_0{number}.png" for number in range(1, 5)]
    assert Image.open(tmp_path / "panels" / panels[0]).info.keys() <= {"dpi"}
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".png"]
    assert not [path for path in written if str(scored.data).encode() in path.read_bytes()]


def test_a_checkpoint_is_composed_under_mmengines_own_runner(scored, tmp_path, monkeypatch):
    checkpoint, sources = composing()
    values = Config.fromfile(str(CONFIG))
    values.merge_from_dict(options(scored, work_dir=str(tmp_path), load_from=str(checkpoint), **sources))
    monkeypatch.setattr("mmengine.runner.runner._load_checkpoint", None)  # would unpickle
    metrics = mmengine.runner.Runner.from_cfg(values).test()
    assert_equal_numbers(metrics, scored)


def test_a_checkpoint_without_its_base_is_refused(scored, tmp_path):
    checkpoint, sources = composing()
    del sources["model.base"]
    with pytest.raises((RefusedInput, UsageProblem), match="base"):
        run_test(CONFIG, checkpoint, work_dir=tmp_path, options=options(scored, **sources))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "expected weights, got none"),
        ({"model.threshold": 1.0}, "threshold"),
        ({"model.combine": "mean"}, "model.combine"),
        ({"load_from": "nowhere.pth"}, "load_from: expected a checkpoint"),
        ({"test_dataloader.dataset.data": None}, "dataset.data"),
        ({"test_dataloader.batch_size": 0}, "batch_size"),
    ],
)
def test_what_cannot_work_is_said_at_once(scored, tmp_path, changes, message):
    with pytest.raises(UsageProblem, match=message):
        run_test(CONFIG, work_dir=tmp_path, options=options(scored, **changes))


@pytest.mark.slow
@pytest.mark.endurance
def test_an_error_ends_the_command_with_its_exit_code(tmp_path):
    command = [sys.executable, "-m", "helpers.train.test_route.test_command", str(tmp_path / "none.py")]
    ended = subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2 and ended.stderr.startswith("Error: config: expected a file")


@pytest.mark.slow
@pytest.mark.endurance
def test_two_processes_count_each_case_once(scored, tmp_path):
    """Batches of three: each process has two cases, and fills none."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    given = options(
        scored, **{"model.model_dir": scored.model, "test_dataloader.batch_size": 3, "model.dtype": "float32"}
    )
    said = run(
        [
            *launch,
            "-m",
            "helpers.train.test_route.test_command",
            str(CONFIG),
            "--work-dir",
            str(tmp_path),
            "--launcher",
            "pytorch",
        ]
        + ["--cfg-options", *(f"{name}={value}" for name, value in given.items())]
    )
    assert said.count("4 cases, 0 of them failed") == 1 and len(list((tmp_path / "panels").iterdir())) == 4
    logged = next(path for path in tmp_path.glob("*/*.json"))
    assert_equal_numbers(json.loads(logged.read_text()), scored)
