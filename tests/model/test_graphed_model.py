"""What CUDA graphs need of the model, checked without a GPU; and answers by the replayed path."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.core.vocabulary import Preset
from helpers.dev.bench.model_presets import preset_config
from helpers.dev.bench.stand_in import FORCED_ANSWER, stand_in
from helpers.model.bridge import bridge_for
from helpers.model.graphed_model import GraphedModel, stages
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.prediction.engine.device_inputs import PreparedImage
from helpers.prediction.engine.dtypes import MIXED
from helpers.prediction.sa2va_predictor import Sa2VAPredictor

PROMPT = "Please segment the blood vessels."
CPU = torch.device("cpu")


class OnOneDevice(TorchDispatchMode):
    """Fails on an operation that reads values back to the processor or takes tensors from it."""

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        tensors = [value for value in (*arguments, result) if isinstance(value, torch.Tensor)]
        assert all(tensor.device.type == "meta" for tensor in tensors), function
        return result


# What each family sees of an image, levels beside the visual tokens, and the tokens of one of its pictures.
SEEN = {
    Preset.TINY: ((3, 3, 448, 448), 0, 256),
    Preset.B1: ((3, 3, 448, 448), 0, 256),
    Preset.QWEN2_5_VL_3B: ((3, 3, 644, 420), 0, 23 * 15),
    Preset.QWEN3_VL_4B: ((3, 3, 640, 416), 3, 20 * 13),
}


@pytest.mark.model
@pytest.mark.parametrize(
    "preset", [Preset.TINY, *(pytest.param(one, marks=pytest.mark.endurance) for one in SEEN if one != Preset.TINY)]
)
def test_no_stage_reads_back(preset):
    """On the meta device there are no values: what reads one fails, as it would within a capture."""
    with torch.device("meta"):
        model = Sa2VAModel._from_config(preset_config(preset), dtype=torch.bfloat16).eval()
    config, width = model.config, model.config.hidden_size

    def empty(*shape, dtype=torch.bfloat16):
        return torch.empty(shape, dtype=dtype, device="meta")

    encode_tiles, encode_pictures, encode_sam2, decode_masks, read = stages(model)
    seen, levels, count = SEEN[preset]
    cut = bridge_for(config).picture_sizes(512, 512) is None
    places = () if cut else (empty(3, 2, 295, dtype=torch.long), *[empty(2, 295, width)] * levels)
    with torch.inference_mode(), OnOneDevice():
        if cut:
            tokens = [encode_tiles(empty(*seen))[0].flatten(0, 1)]
        else:
            tokens = encode_pictures(empty(*seen, dtype=torch.uint8))
        features = encode_sam2(empty(2, 3, config.sam2_sizes.image_size, config.sam2_sizes.image_size))
        masks = decode_masks(*features, empty(2, width), empty(2, dtype=torch.long))
        guesses, states = read(empty(2, 290, width), empty(2, 5, dtype=torch.long), *places)
    assert [tuple(one.shape) for one in tokens] == [(3 * count, width)] * (1 + levels)
    side = config.sam2_sizes.image_size
    assert [tensor.shape[-1] for tensor in features] == [side // 16, side // 4, side // 8]
    assert masks[0].shape == (2, side // 4, side // 4) and masks[1].shape == (2, 3) and masks[2].shape == (2,)
    assert guesses.shape == (2, 6) and states.shape == (2, 6, width)
    assert model.language_model.model.rotary_emb.rope_type == config.text_config.rope_parameters["rope_type"]


@pytest.fixture(scope="module")
def tiny():
    return stand_in(Preset.TINY, CPU, MIXED)


@pytest.fixture(scope="module")
def images(tiny):
    random = torch.Generator().manual_seed(0)

    def noise(*shape):
        return torch.randint(0, 256, shape, generator=random, dtype=torch.uint8)

    side = tiny[0].config.sam2_sizes.image_size
    return [PreparedImage(noise(tiles, 3, 448, 448), noise(1, 3, side, side), 512, 512) for tiles in (1, 1, 3)]


def watched(model):
    """The model with functions in the place of graphs, and the shapes that each was called with."""
    seen = []

    def replayed(function):
        def call(*tensors):
            seen.append((function.__name__, tensors[0].shape[0]))
            return function(*tensors)

        return call

    return GraphedModel(model, replayed), seen


def test_replayed_answers_are_those_of_the_model(tiny, images):
    model, tokenizer = tiny
    graphed, seen = watched(model)
    plain, ours = Sa2VAPredictor(model, tokenizer, {}), Sa2VAPredictor(graphed, tokenizer, {})
    for count, passes in ((1, 0), (2, 1), (3, 3)):  # the first answer is the draft of the others; lengths go apart
        expected, found = (one.predict(images[:count], [PROMPT]) for one in (plain, ours))
        assert sum(name == "read" for name, _ in seen) == passes
        for (answer,), (other,) in zip(found, expected, strict=True):
            assert (answer.text, answer.drafted) == (other.text, other.drafted)
            assert torch.allclose(torch.from_numpy(answer.logits), torch.from_numpy(other.logits), atol=0.05)
    assert ("encode_sam2", 2) in seen and ("decode_masks", 2) in seen and ("encode_tiles", 5) in seen


def test_only_a_right_draft_is_replayed(tiny, monkeypatch):
    model, tokenizer = tiny
    graphed, seen = watched(model)
    monkeypatch.setattr(model, "answers", lambda prompts, tokenizer, limit, drafts: "the model's own")
    prompts = [torch.zeros(20, model.config.hidden_size, dtype=torch.bfloat16)] * 2
    right = tokenizer.encode(FORCED_ANSWER)
    wrong = [*right[:2], 1, *right[3:]]
    with torch.inference_mode():
        answers = graphed.answers(prompts, tokenizer, 64, [right, right])
        others = [
            graphed.answers(prompts, tokenizer, 64, [wrong, wrong]),
            graphed.answers(prompts, tokenizer, 64, [right, wrong]),
            graphed.answers(prompts, tokenizer, 64, [[], []]),
            graphed.answers(prompts, tokenizer, 64),
            graphed.answers(prompts, tokenizer, 3, [right, right]),
            graphed.answers(prompts, tokenizer, 64, [right[:3], right[:3]]),  # cut off by a limit before
            graphed.answers([prompts[0], prompts[0][1:]], tokenizer, 64, [right, right]),
        ]
    assert [answer.token_ids for answer in answers] == [right, right]
    assert all(answer.drafted and not answer.truncated and len(answer.seg_states) == 1 for answer in answers)
    assert others == ["the model's own"] * 7
    assert len(seen) == 2  # the right draft's pass, and that which found the wrong one
    assert graphed.config is model.config


def test_an_overflow_is_an_error_behind_a_replayed_pass_too(tiny):
    model, tokenizer = tiny
    graphed, seen = watched(model)
    prompts = [torch.full((20, model.config.hidden_size), torch.inf, dtype=torch.bfloat16)] * 2
    right = tokenizer.encode(FORCED_ANSWER)
    with torch.inference_mode(), pytest.raises(ValueError, match="gives values that are not finite: in torch.bfloat16"):
        graphed.answers(prompts, tokenizer, 64, [right, right])
    assert [name for name, _ in seen] == ["read"]
