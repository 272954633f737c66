"""SAM2's features are computed before an answer that is expected to ask for them, and once."""

from types import SimpleNamespace

import pytest
import torch

from helpers.core.vocabulary import Preset
from helpers.dev.bench.stand_in import FORCED_ANSWER, draw_noise, stand_in
from helpers.prediction.engine.dtypes import one_dtype

TEXT = "<image>\nPlease segment the blood vessels."


@pytest.mark.parametrize("dtype, ahead", [(torch.bfloat16, True), (torch.float32, False)])
def test_features_come_before_the_answer_that_is_expected(monkeypatch, dtype, ahead):
    model, tokenizer = stand_in(Preset.TINY, torch.device("cpu"), one_dtype(dtype))
    steps = []
    for name in ("encode_sam2", "answers"):
        whole = getattr(model, name)
        monkeypatch.setattr(model, name, lambda *given, name=name, whole=whole: steps.append(name) or whole(*given))
    first, second = (model.predict_forward(draw_noise(64, 0), text=TEXT, tokenizer=tokenizer) for _ in range(2))
    assert steps[:2] == ["answers", "encode_sam2"]
    assert steps[2:] == (["encode_sam2", "answers"] if ahead else ["answers", "encode_sam2"])
    assert first["prediction"] == second["prediction"] == FORCED_ANSWER
    assert (first["prediction_logits"][0] == second["prediction_logits"][0]).all()
    # An answer that was expected to draw, and does not, gives no mask.
    model.drafts.keep(TEXT, "", [*tokenizer.encode("[SEG]"), tokenizer.eos_token_id])
    third = model.predict_forward(draw_noise(64, 0), text=TEXT, tokenizer=tokenizer)
    assert third["prediction"] == FORCED_ANSWER
    assert (first["prediction_logits"][0] == third["prediction_logits"][0]).all()


def test_an_answer_that_was_cut_off_is_no_draft():
    model, tokenizer = stand_in(Preset.TINY, torch.device("cpu"), one_dtype(torch.bfloat16))
    call = {"image": draw_noise(64, 0), "text": TEXT, "tokenizer": tokenizer}
    assert model.predict_forward(**call, max_new_tokens=3)["prediction"] != FORCED_ANSWER
    assert model.drafts.of(TEXT) == []
    assert model.predict_forward(**call)["prediction"] == FORCED_ANSWER


def test_graphs_are_dropped_where_memory_is_wanting(monkeypatch):
    model, tokenizer = stand_in(Preset.TINY, torch.device("cpu"), one_dtype(torch.bfloat16))
    asked = []
    whole = model.predict

    def wanting(*given):
        asked.append(given[-1])
        if given[-1]:
            raise torch.OutOfMemoryError("no room")
        return whole(*given)

    monkeypatch.setattr(model, "predict", wanting)
    call = {"image": draw_noise(64, 0), "text": TEXT, "tokenizer": tokenizer}
    with pytest.raises(torch.OutOfMemoryError):
        model.predict_forward(**call)
    asked.clear()
    monkeypatch.setattr(model.graphs, "_pools", (SimpleNamespace(close=lambda: asked.append("closed")),))
    assert model.predict_forward(**call)["prediction"] == FORCED_ANSWER
    assert asked == [True, "closed", False] and not model.graphs.are_held
