"""Training through mmengine's Runner: the official checkpoint, stopped and resumed, read safely."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.checkpoints.read.weight_source import CheckpointKind, open_source
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.train.fine_tuning.fine_tune import run_training
from helpers.train.fine_tuning.shape_losses import ShapeLoss
from tests.support.fixture_model import ENVIRONMENT, ROOT
from tests.support.tiny_sources import fixture_sources
from tests.train.fine_tuning.conftest import CONFIG, small_options


def command(folder, *extra, launcher=()):
    given = []
    for name, value in small_options().items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        given += [f"{name}.{inner}={one}" if inner else f"{name}={one}" for inner, one in pairs]
    start = launcher or ("-m",)
    command = [sys.executable, *start, "helpers.train.fine_tuning.fine_tune", str(CONFIG), "--work-dir", str(folder)]
    return [*command, *extra, "--cfg-options", *given]


def tensors(path):
    with open_source(path) as source:
        return {name: source.read(name).clone() for name in source.tensors}


def assert_equal_tensors(one, two):
    first, second = tensors(one), tensors(two)
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def test_the_checkpoint_is_the_official_partial_one_and_converts(trained, tmp_path):
    found, recorded = open_source(trained), open_source(fixture_sources().checkpoint)
    assert trained.name == "iter_4.pth"
    assert found.kind is CheckpointKind.MMENGINE
    assert {n: t.shape for n, t in found.tensors.items()} == {n: t.shape for n, t in recorded.tensors.items()}
    sources = fixture_sources()
    # Alpha, template and base come from the config inside the checkpoint.
    convert(ConversionRequest(trained, tmp_path / "model", sam2=sources.sam2, sam2_config=str(sources.sizes)))
    record = json.loads((tmp_path / "model/conversion.json").read_text())
    assert record["settings"]["lora_alpha"]["value"] == 8


def test_what_was_trained_differs_from_where_it_started(trained):
    found = tensors(trained)
    ups = [tensor for name, tensor in found.items() if ".lora_B." in name]
    assert ups and all(up.abs().max() > 0 for up in ups)
    with open_source(fixture_sources().sam2) as sam2:
        name = "sam_mask_decoder.conv_s0.weight"
        assert not torch.equal(found[f"grounding_encoder.sam2_model.{name}"], sam2.read(name).float())


@pytest.mark.parametrize("which", ["lora", "all"])
def test_a_run_begins_with_the_weights_it_was_given(trained, tmp_path, which):
    still = {"optim_wrapper.optimizer.lr": 0.0, "train_cfg.max_iters": 1, "param_scheduler": None}
    given = small_options(**{"model.pretrained_pth": str(trained), "model.trained": which, **still})
    given = {name: value for name, value in given.items() if not name.startswith("param_scheduler.")}
    found, before = tensors(run_training(CONFIG, work_dir=tmp_path, options=given)), tensors(trained)
    # Adapters are merged into what a run goes on from; all else is as it was.
    shared = [name for name in before if ".lora_" not in name and name in found]
    assert len(shared) > 100
    assert [name for name in shared if not torch.equal(found[name].float(), before[name].float())] == []


def test_losses_are_logged_under_the_official_names(trained):
    log = next(trained.parent.glob("*/vis_data/scalars.json"))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["iter"] for line in lines] == [1, 2, 3, 4]
    assert {"loss", "llm_loss", "loss_mask", "loss_dice", "lr"} <= lines[0].keys()
    assert not {"loss_iou", *ShapeLoss} & lines[0].keys()
    assert lines[-1]["llm_loss"] < lines[0]["llm_loss"]


def test_a_killed_run_goes_on_to_the_same_weights(trained, tmp_path):
    process = subprocess.Popen(command(tmp_path), cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not (tmp_path / "last_checkpoint").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "iter_4.pth").exists(), "it was to be killed on the way"
    resumed = run_training(CONFIG, work_dir=tmp_path, resume=True, options=small_options())
    assert_equal_tensors(resumed, trained)


def test_a_checkpoint_that_would_run_code_is_not_resumed(trained, tmp_path):
    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    content = torch.load(trained, weights_only=False)
    torch.save({**content, "extra": Payload()}, tmp_path / "iter_2.pth")
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "iter_2.pth"))
    with pytest.raises(RefusedInput, match="wants to run code"):
        run_training(CONFIG, work_dir=tmp_path, resume=True, options=small_options())
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_another_run_is_not_resumed(trained, tmp_path):
    content = torch.load(trained, weights_only=False)
    name = next(name for name in content["state_dict"] if ".lora_A." in name)
    content["state_dict"].pop(name)
    torch.save(content, tmp_path / "iter_2.pth")
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "iter_2.pth"))
    with pytest.raises(RefusedInput, match="of another run: it lacks 1 tensor "):
        run_training(CONFIG, work_dir=tmp_path, resume=True, options=small_options())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.mllm.model_path": None}, "expected mllm.model_path"),
        ({"model.trained": "some"}, "model.trained: expected one of lora, all"),
        ({"model.mllm.llm_lora.r": 0}, "expected r and lora_alpha above 0"),
        ({"train_dataloader.dataset.data": None}, "dataset.data"),
        ({"train_dataloader.dataset.answers": ["nothing"]}, "one \\[SEG\\] each"),
        ({"load_from": "iter_1.pth"}, "load_from: expected resume=True"),
        (
            {"train_dataloader.dataset.sam2_size": 1024},
            "sam2_size: expected 512, as the model takes, got 1024. Give --cfg",
        ),
        (
            {"train_dataloader.dataset.tile_size": 224},
            "tile_size: expected 448, as the model takes, got 224. Give --cfg",
        ),
        ({"default_hooks.checkpoint.max_keep_ckpts": 1}, "max_keep_ckpts: expected 2 or more"),
    ],
)
def test_options_that_cannot_work_are_refused(changes, message, tmp_path):
    with pytest.raises((UsageProblem, RefusedInput), match=message):
        run_training(CONFIG, work_dir=tmp_path, options=small_options(**changes))


@pytest.mark.slow
@pytest.mark.endurance  # what they are wrapped in is looked at in test_parallel
def test_two_processes_train_one_model(tmp_path):
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29613", "-m")
    ran = subprocess.run(
        command(tmp_path, "--launcher", "pytorch", launcher=torchrun),
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-6000:]
    assert all(tensor.isfinite().all() for tensor in tensors(tmp_path / "iter_4.pth").values())
