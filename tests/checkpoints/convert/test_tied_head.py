"""Embeddings and output head that share one tensor, or do so no more."""

import json

import torch
from safetensors.torch import load_file

from helpers.checkpoints.convert import convert
from helpers.checkpoints.convert.plan import EMBEDDINGS, LM_HEAD
from helpers.checkpoints.verify import verify
from tests.support.exports import refused, stored_name
from tests.support.tiny_sources import TinySources


def tie_base(tiny: TinySources) -> None:
    tiny.edit_base_config(lambda config: config["llm_config"].update(tie_word_embeddings=True))
    tiny.edit_base(lambda tensors: tensors.pop(LM_HEAD))


def test_trained_head_that_differs_is_untied_and_kept(tmp_path, tiny):
    tie_base(tiny)
    record = convert(tiny.request(tmp_path / "out"))
    tensors = load_file(tmp_path / "out/model.safetensors")
    assert not torch.equal(tensors[LM_HEAD], tensors[EMBEDDINGS])
    assert any("untied and keeps both" in note for note in record.values["notes"])
    assert json.loads((tmp_path / "out/config.json").read_text())["tie_word_embeddings"] is False


def equal_head(content):
    state = content["state_dict"]
    head, embeddings = stored_name(state, LM_HEAD), stored_name(state, EMBEDDINGS)
    state[head] = state[embeddings].clone()


def test_equal_head_stays_tied(tmp_path, tiny):
    tie_base(tiny)
    tiny.edit_checkpoint(equal_head)
    record = convert(tiny.request(tmp_path / "out"))
    assert LM_HEAD not in load_file(tmp_path / "out/model.safetensors")
    assert any("stays tied" in note for note in record.values["notes"])
    fates = record.values["sources"]["checkpoint"]
    assert fates[stored_name(fates, LM_HEAD)]["fate"] == "tied"
    report = verify(tmp_path / "out", tiny.checkpoint, tiny.base, tiny.sam2)
    assert report.ok, report.to_text()


def test_lora_run_without_the_head_of_a_tied_base_is_refused(tmp_path, tiny):
    tie_base(tiny)
    tiny.edit_checkpoint(lambda content: content["state_dict"].pop(stored_name(content["state_dict"], LM_HEAD)))
    refused("no lm_head; the head used in training cannot be restored", tiny, tmp_path / "out")
