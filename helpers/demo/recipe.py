"""How the demo model is trained: synthetic patients, a base from nothing, then a partial checkpoint as users have."""

import json
import logging
import shutil
import tempfile
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from helpers.atomic import write_json_atomic
from helpers.checkpoint.source import open_source
from helpers.checkpoint.unpickle import load_torch_file
from helpers.conversion.tokenizer import write_tokenizer
from helpers.demo.base import DEMO, TEMPLATE, build_base, official_config
from helpers.demo.checkpoint import DemoCheckpoint, official_tensors, write_base
from helpers.demo.conversation import corpus
from helpers.demo.tokenizer import write_tokenizer_folder
from helpers.paths import project_root
from helpers.sa2va.configuration_sa2va import SPECIAL_TOKENS
from helpers.synthesis.layout import SynthLayout
from helpers.synthesis.parameters import Split
from helpers.synthesis.writing import Recipe as DataRecipe
from helpers.synthesis.writing import write_dataset
from helpers.training.command import run_training
from helpers.training.samples import PROMPTS, TEXT

_log = logging.getLogger(__name__)
_CONFIG = "helpers/configs/train_sa2va.py"
_SIDE = 512


@dataclass(frozen=True)
class TrainingRecipe:
    """All that decides the demo model.

    Attributes:
        seed: of data, weights and order.
        patients, sequences, frames: of the synthetic data; two thirds of the patients train.
        base_iters, lora_iters: iterations of the two stages.
        batch_size: frames of an iteration.
        base_rate, lora_rate: highest learning rates.
        rank: of the adapters; alpha is twice that.
    """

    seed: int = 0
    patients: int = 360
    sequences: int = 2
    frames: int = 8
    base_iters: int = 5000
    lora_iters: int = 600
    batch_size: int = 16
    base_rate: float = 8e-4
    lora_rate: float = 5e-4
    rank: int = 8


def train_demo(folder: Path, recipe: TrainingRecipe, workers: int = 4) -> DemoCheckpoint:
    """Train the demo model in a folder; called again after a stop, it goes on where it was.

    Args:
        workers: processes that draw and load frames.
    Returns:
        The finished files, in `folder / "demo"`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    data = folder / "data"
    if not (data / "synthesis.json").is_file():
        drawn = DataRecipe(recipe.patients, recipe.sequences, recipe.frames, recipe.seed + 1000, _SIDE)
        write_dataset(drawn, SynthLayout.PAIRED, data, processes=workers)
        _log.info("data: %.0f s", time.monotonic() - started)
    start, files = DemoCheckpoint(folder / "start"), DemoCheckpoint(folder / "demo")
    if not (start.folder / "vocabulary.json").is_file():
        _write_start(start, recipe.seed)
    vocabulary = json.loads((start.folder / "vocabulary.json").read_text(encoding="utf-8"))["rows"]
    base = _stage(folder / "base_stage", start, data, recipe, workers, lora=False)
    if not files.sam2.is_file():
        _write_trained_base(files, start, base, vocabulary)
    last = _stage(folder / "lora_stage", files, data, recipe, workers, lora=True)
    _publish(files, last, folder, recipe)
    return files


def _write_start(files: DemoCheckpoint, seed: int) -> None:
    """A base with random weights."""
    shutil.rmtree(files.folder, ignore_errors=True)
    files.base.mkdir(parents=True)
    vocabulary = write_tokenizer_folder(files.base, (*corpus(), *(one.replace("{text}", TEXT) for one in PROMPTS)))
    with tempfile.TemporaryDirectory() as staging:
        facts = write_tokenizer(files.base, Path(staging), SPECIAL_TOKENS)
    config = official_config(DEMO, vocabulary, facts.eos, facts.pad)
    model = build_base(config, DEMO.sam2, facts, seed)
    write_base(files, config, official_tensors(model.state_dict()), vocabulary)
    write_json_atomic(files.sam2_sizes, DEMO.sam2.to_dict())
    write_json_atomic(files.folder / "vocabulary.json", {"rows": vocabulary})


def _stage(
    folder: Path, bases: DemoCheckpoint, data: Path, recipe: TrainingRecipe, workers: int, *, lora: bool
) -> Path:
    """Train one stage to its end. Returns its last checkpoint."""
    iters = recipe.lora_iters if lora else recipe.base_iters
    rate = recipe.lora_rate if lora else recipe.base_rate
    done = folder / f"iter_{iters}.pth"
    if done.is_file():
        return done
    started = time.monotonic()
    warm_up = max(1, min(200, iters // 10))
    last = run_training(
        project_root() / _CONFIG,
        work_dir=folder,
        resume=True,
        options={
            "model.mllm.model_path": str(bases.base),
            "model.mllm.llm_lora": {"r": recipe.rank, "lora_alpha": 2 * recipe.rank, "lora_dropout": 0.0},
            "model.grounding_encoder.ckpt_path": str(bases.sam2),
            "model.grounding_encoder.cfg_path": str(bases.sam2_sizes),
            "model.template": TEMPLATE,
            "model.trained": "lora" if lora else "all",
            "model.loss_iou": {"loss_weight": 1.0},
            "model.seed": recipe.seed + lora,
            "train_dataloader.dataset.data": str(data),
            "train_dataloader.dataset.split": Split.TRAIN.value,
            "train_dataloader.dataset.mask_side": _SIDE,
            "train_dataloader.dataset.seed": recipe.seed + lora,
            "train_dataloader.batch_size": recipe.batch_size,
            "train_dataloader.num_workers": workers,
            "train_cfg.max_iters": iters,
            "optim_wrapper.optimizer.lr": rate,
            "param_scheduler.0.end": warm_up,
            "param_scheduler.1.begin": warm_up,
            "param_scheduler.1.end": iters,
            "param_scheduler.1.eta_min": rate / 100,
            "default_hooks.checkpoint.interval": iters,
            "randomness.seed": recipe.seed + lora,
        },
    )
    _log.info("%s: %.0f s", folder.name, time.monotonic() - started)
    return last


def _write_trained_base(files: DemoCheckpoint, start: DemoCheckpoint, checkpoint: Path, vocabulary: int) -> None:
    """The InternVL folder and the SAM2 file that the base stage makes of the random ones."""
    shutil.rmtree(files.folder, ignore_errors=True)
    shutil.copytree(start.base, files.base, ignore=shutil.ignore_patterns("*.safetensors"))
    shutil.copyfile(start.sam2_sizes, files.sam2_sizes)
    with open_source(checkpoint) as source:
        official = {name.removeprefix("mllm.model."): source.read(name).clone() for name in source.tensors}
    config = json.loads((start.base / "config.json").read_text(encoding="utf-8"))
    write_base(files, config, official, vocabulary)


def _publish(files: DemoCheckpoint, checkpoint: Path, folder: Path, recipe: TrainingRecipe) -> None:
    """The partial checkpoint in bfloat16, without optimiser and history; its log; and the recipe."""
    content: dict[Any, Any] = load_torch_file(checkpoint)
    target = files.folder / "ckpt"
    target.mkdir(exist_ok=True)
    state = OrderedDict((name, tensor.bfloat16().clone()) for name, tensor in content["state_dict"].items())
    meta = dict(content["meta"])
    config = Config.fromstring(meta["cfg"], file_format=".py")
    for name in ("work_dir", "log_level"):
        config.pop(name, None)
    meta["cfg"] = config.pretty_text.replace(f"{folder}/", "")
    torch.save({"meta": meta, "state_dict": state}, target / checkpoint.name)
    losses = {
        stage: [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        for stage in ("base_stage", "lora_stage")
        for log in sorted((folder / stage).glob("*/vis_data/scalars.json"))[-1:]
    }
    record = {
        "recipe": asdict(recipe),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "last_losses": {stage: lines[-1] for stage, lines in losses.items() if lines},
    }
    write_json_atomic(files.folder / "training.json", record)
