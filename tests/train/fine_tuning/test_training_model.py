"""What the model in training reads of a sample."""

import json

import pytest
import torch

from helpers.model.video import answer_frames
from helpers.train.fine_tuning import Sa2VAForTraining
from helpers.train.fine_tuning.fine_tune import run_training
from helpers.train.fine_tuning.shape_losses import ShapeLoss
from tests.support.tiny_sources import fixture_sources
from tests.train.fine_tuning.conftest import CONFIG, small_options
from tests.train.fine_tuning.test_samples import write_sequence


def test_several_frames_are_asked_for_as_where_sequences_are_tracked(monkeypatch):
    sources = fixture_sources()
    model = Sa2VAForTraining(
        {"model_path": str(sources.base), "llm_lora": {"r": 2, "lora_alpha": 4}},
        {"ckpt_path": str(sources.sam2), "cfg_path": str(sources.sizes)},
    )
    read = []

    def words(model, ids, pictures):
        read.append(ids)
        raise InterruptedError

    monkeypatch.setattr(model.sa2va.bridge, "words", words)
    side = model.sa2va.config.tile_size
    with pytest.raises(InterruptedError), torch.inference_mode():
        frames = torch.zeros((5, 3, side, side), dtype=torch.uint8)
        answer_frames(model.sa2va, frames, "Segment it.", "", model.tokenizer, 8)
    asked, said = model._encode_turn("Segment it.", "Sure, it is [SEG].", 5, 5)
    assert asked == read[0]
    assert asked != model._encode_turn("Segment it.", "Sure, it is [SEG].", 5, 1)[0]
    assert said.count(model.sa2va.config.token_ids["[SEG]"]) == 1


def test_samples_of_several_frames_train_with_every_loss(tmp_path):
    data = str(write_sequence(tmp_path / "data", frames=3))
    sequences = {"train_dataloader.dataset.data": data, "train_dataloader.dataset.several": 0.5}
    shapes = {f"model.{name}": {"loss_weight": 0.5} for name in ShapeLoss}
    options = small_options(**sequences, **shapes, **{"train_dataloader.batch_size": 2})
    run_training(CONFIG, work_dir=tmp_path / "run", options=options)
    lines = next((tmp_path / "run").glob("*/vis_data/scalars.json")).read_text().splitlines()
    losses = [json.loads(line) for line in lines]
    assert len(losses) == 4 and losses[-1]["llm_loss"] < losses[0]["llm_loss"]
    assert all(0 < one[name] < 2 for one in losses for name in (ShapeLoss.CENTRELINE, ShapeLoss.CLDICE))
    assert all(-0.5 <= one[ShapeLoss.BOUNDARY] <= 0.5 for one in losses)
