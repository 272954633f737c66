"""What every run of these tests is given: the fixture's bases and pictures, and a few iterations."""

from pathlib import Path

import pytest

from helpers.dev.demo.untrained_base import FIXTURE
from tests.support.fixture_model import ROOT
from tests.support.tiny_sources import FIXTURES, fixture_sources

CONFIG = ROOT / "helpers/train/configs/train_sa2va.py"


def small_options(**changes):
    """Options that make the config train the fixture's tiny model on its own pictures, on the CPU."""
    sources = fixture_sources()
    return {
        "model.mllm.model_path": str(sources.base),
        "model.mllm.llm_lora": {"r": 4, "lora_alpha": 8, "lora_dropout": 0.1},
        "model.grounding_encoder.ckpt_path": str(sources.sam2),
        "model.grounding_encoder.cfg_path": str(sources.sizes),
        "model.points": 500,
        "train_dataloader.dataset.data": str(FIXTURES),
        "train_dataloader.dataset.mask_side": 64,
        "train_dataloader.dataset.sam2_size": FIXTURE.sam2.image_size,
        "train_dataloader.dataset.max_tiles": 1,
        "train_dataloader.batch_size": 1,
        "train_dataloader.num_workers": 0,
        "train_dataloader.pin_memory": False,
        "train_cfg.max_iters": 4,
        "optim_wrapper.optimizer.lr": 1e-3,
        "param_scheduler.0.end": 2,
        "param_scheduler.1.begin": 2,
        "param_scheduler.1.end": 4,
        "default_hooks.checkpoint.interval": 2,
        "default_hooks.logger.interval": 1,
        **changes,
    }


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """The last checkpoint of an uninterrupted run of four iterations."""
    from helpers.train.fine_tuning.fine_tune import run_training

    return run_training(CONFIG, work_dir=tmp_path_factory.mktemp("trained"), options=small_options())
