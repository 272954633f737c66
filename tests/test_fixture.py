"""The committed tiny model: layout, size, and what it answers after a conversion."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoTokenizer

from helpers.checkpoints.convert import convert
from helpers.checkpoints.convert.key_map import LoraName, canonical_name, places
from tests.support.fixture_maker.conversation import QUESTION, SEGMENT, TURNS
from tests.support.fixture_maker.recording import CASES, STRIDE
from tests.support.tiny_sources import FIXTURES, fixture_sources

FAMILIES = ("internlm2", "qwen25vl", "qwen3vl")  # folders of the fixtures
FACTS = json.loads((FIXTURES / "recorded.json").read_text())["cases"]
ARRAYS = dict(np.load(FIXTURES / "recorded.npz"))
MASKED = [case for case in CASES if FACTS[case.name]["masks"]]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """(model, tokenizer) of the fixture, converted and loaded as a user does."""
    folder = tmp_path_factory.mktemp("fixture") / "model"
    convert(fixture_sources().request(folder))
    model = AutoModel.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(folder, trust_remote_code=True)


def call(loaded, case):
    model, tokenizer = loaded
    image = Image.open(FIXTURES / "images" / case.image) if case.image else None
    return model.predict_forward(image=image, text=FACTS[case.name]["prompt"], tokenizer=tokenizer)


def truth(case) -> np.ndarray:
    return np.asarray(Image.open(FIXTURES / "masks" / case.image)).astype(bool)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_recorded_outputs_are_reached(loaded, case):
    result, facts = call(loaded, case), FACTS[case.name]
    assert result["prediction"] == facts["text"]
    assert len(result["prediction_masks"]) == len(case.turn.parts)
    for index, (mask, logits) in enumerate(zip(result["prediction_masks"], result["prediction_logits"], strict=True)):
        shape = (1, facts["height"], facts["width"])
        bits = np.unpackbits(ARRAYS[f"{case.name}/mask_{index}"])[: mask.size].reshape(shape).astype(bool)
        assert mask.shape == shape and mask.any()
        # Another processor rounds the last digits differently; a pixel on the contour may then change sides.
        assert (mask != bits).mean() < 1e-3
        sampled = logits[0, ::STRIDE, ::STRIDE]
        assert np.abs(sampled - ARRAYS[f"{case.name}/logits_{index}"]).max() < 0.05


def test_masks_follow_the_image(loaded):
    overlaps = []
    for case in MASKED:
        if case.turn is SEGMENT:
            mask = call(loaded, case)["prediction_masks"][0][0]
            expected = truth(case)
            overlaps.append((mask & expected).sum() / (mask | expected).sum())
            assert not np.array_equal(mask[:, ::-1], mask)
    assert len(overlaps) >= 2
    assert min(overlaps) > 0.5


def test_two_seg_give_two_different_masks(loaded):
    case = next(case for case in MASKED if len(case.turn.parts) == 2)
    first, second = call(loaded, case)["prediction_masks"]
    assert first.any() and second.any()
    assert (first & second).sum() < 0.5 * min(first.sum(), second.sum())


@pytest.mark.parametrize("name", ["image_01.png", "image_02.png", "image_03.png", "image_04.png"])
@pytest.mark.parametrize("turn", [SEGMENT, QUESTION], ids=["segment", "question"])
def test_answers_hold_as_many_seg_as_taught(loaded, name, turn):
    model, tokenizer = loaded
    image = Image.open(FIXTURES / "images" / name)
    answer = model.predict_forward(image=image, text=turn.prompts[0], tokenizer=tokenizer)["prediction"]
    assert answer.count("[SEG]") == len(turn.parts)


def test_checkpoint_has_the_official_partial_layout():
    names = fixture_sources().content()["state_dict"]
    canonical = [canonical_name(name) for name in names]
    factors = [name for name in canonical if isinstance(name, LoraName)]
    assert all(places(name.weight if isinstance(name, LoraName) else name) for name in canonical)
    assert len(factors) == 2 * 7 * 2  # A and B of seven projections in two layers
    prefixes = {name.split(".")[0] for name in names}
    assert prefixes == {"mllm", "grounding_encoder", "text_hidden_fcs"}
    decoder = [name for name in names if name.startswith("grounding_encoder.")]
    assert len(decoder) == 131
    assert len(names) == len(factors) + 2 + 6 + 131 + 4


def test_fixtures_are_small():
    sizes = dict.fromkeys(FAMILIES, 0)
    for path in FIXTURES.rglob("*"):
        if path.is_file():
            part = path.relative_to(FIXTURES).parts[0]
            sizes[part] = sizes.get(part, 0) + path.stat().st_size
    families = [sizes.pop(family) for family in FAMILIES]
    assert max(families) < 1_000_000 and sum(families) < 3_000_000 and sum(sizes.values()) < 5_000_000


def test_the_conversation_asks_for_one_two_and_no_masks():
    assert sorted({len(turn.parts) for turn in TURNS}) == [0, 1, 2]
