"""What `helpers.dev.measure.cine_modes` trains before it measures, on the tiny fixture's model."""

import copy

import pytest
import torch
from PIL import Image

from helpers.core.errors import VesselkitError
from helpers.data.cases import Case
from helpers.data.frames.frame import Frame
from helpers.dev.measure import sequence_training
from helpers.dev.measure.sequence_training import answers_with_seg, train_answer
from helpers.model.generation import GeneratedText
from helpers.prediction.engine.model_loading import load_model

REQUEST = "Please segment the blood vessels."


@pytest.fixture(scope="module")
def loaded(fixture_folder):
    torch.set_num_threads(1)
    return load_model(fixture_folder, "cpu", "float32")


def test_the_answer_is_learned_and_merged(loaded):
    model, tokenizer = copy.deepcopy(loaded[0]), loaded[1]
    tiles = model.bridge.frame_bytes([Image.new("RGB", (64, 64), (40 * n, 40 * n, 40 * n)) for n in range(6)])
    names = list(model.state_dict())
    assert not answers_with_seg(model, tokenizer, tiles[:5], REQUEST)
    train_answer(model, tokenizer, [tiles], REQUEST, 25, 0, rate=1e-2)
    assert answers_with_seg(model, tokenizer, tiles[:5], REQUEST)
    # Adapters are merged: the model has the layers that it had.
    assert list(model.state_dict()) == names


def test_a_sequence_without_seg_is_refused_before_the_memory_is_trained(loaded, tmp_path, monkeypatch):
    Image.new("L", (32, 32)).save(tmp_path / "a.png")
    silent = GeneratedText([5, 6], torch.zeros((0, loaded[0].config.hidden_size)), truncated=False)
    monkeypatch.setattr(sequence_training, "answer_frames", lambda *_: silent)
    with pytest.raises(VesselkitError, match="expected \\[SEG\\] in the answer .* about 1 frames"):
        sequence_training.Film(*loaded, [Case(Frame("c1", tmp_path / "a.png"), None)], REQUEST)
