"""Teach the language model of a small model to answer a request about several frames of a sequence.

One that was trained on single frames has never read so long a request, and may answer it without `[SEG]`; no sequence
can then be tracked. Low-rank adapters learn the answer of the training data, and at its `[SEG]` the prompt that single
frames of the sequence give SAM2, so that no mask means anything new. They are merged, and all else stays as it is.
It takes seconds on a CPU: SAM2 has no part in it.
"""

import random
from collections.abc import Sequence

import torch
from torch import nn

from helpers.dev.measure.descent import descend
from helpers.model.processing_sa2va import build_prompt, image_text, normalise_tiles
from helpers.model.video import FRAMES_SEEN, answer_frames
from helpers.train.fine_tuning.samples import ANSWERS
from helpers.train.fine_tuning.starting_model import LoraLinear, add_adapters


def answers_with_seg(model, tokenizer, tiles: torch.Tensor, request: str) -> bool:
    """Whether the model answers a request about frames, see `Bridge.frame_bytes`, with a `[SEG]`."""
    with torch.inference_mode():
        return len(answer_frames(model, tiles, request, "", tokenizer, 16).seg_states) > 0


def train_answer(
    model, tokenizer, sequences: Sequence[torch.Tensor], request: str, steps: int, seed: int, rate: float = 2e-3
) -> float:
    """Train in place; returns the mean loss of the last tenth of the steps.

    Args:
        sequences: frames of each as the language model sees them, uint8 (n, 3, side, side), n at least FRAMES_SEEN.
    """
    chance = random.Random(seed)
    model.requires_grad_(False)
    with torch.no_grad():
        visual = [_visual(model, tiles) for tiles in sequences]
        wanted = [_mean_prompt(model, tokenizer, frames, request) for frames in visual]
    scale = torch.stack(wanted).pow(2).mean()
    adapters = add_adapters(model.language_model, 8, 16.0, torch.Generator().manual_seed(seed))
    model.language_model.to(model.device)
    trained = [weight for one in adapters.values() for weight in (one.down, one.up)]

    def loss() -> torch.Tensor:
        sequence = chance.randrange(len(visual))
        # Half of the requests are about as many frames as prediction shows; the others keep what was known.
        count = FRAMES_SEEN if chance.random() < 0.5 else chance.randint(1, FRAMES_SEEN)
        chosen = sorted(chance.sample(range(len(visual[sequence])), count))
        entropy, prompt = _spoken(model, tokenizer, visual[sequence][chosen], request)
        return entropy + 3 * (prompt - wanted[sequence]).pow(2).mean() / scale

    last = descend(trained, loss, steps, rate, 0.0, "answer")
    for name, one in adapters.items():
        _merge(model.language_model, name, one)
    model.requires_grad_(False)
    return last


def _visual(model, tiles: torch.Tensor) -> torch.Tensor:
    """Frames as rows of the language model, (n, tokens, width)."""
    frames = [normalise_tiles(one[None].to(model.device)).to(model.dtype) for one in tiles]
    return torch.cat([model.encode_tiles(one) for one in frames])


def _mean_prompt(model, tokenizer, frames: torch.Tensor, request: str) -> torch.Tensor:
    """What single frames of a sequence give SAM2 as a prompt, in the mean, (D,)."""
    return torch.stack([_spoken(model, tokenizer, frames[[at]], request)[1] for at in range(len(frames))]).mean(0)


def _spoken(model, tokenizer, frames: torch.Tensor, request: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of the answer to a request about frames, and the prompt (D,) at its `[SEG]`."""
    config = model.config
    images = "\n".join([image_text(1, config.tokens_per_tile)] * len(frames))
    asked = tokenizer.encode(build_prompt(request, "", config.instruction, images))
    said = tokenizer.encode(ANSWERS[0] + config.stop_words[0], add_special_tokens=False)
    rows = model.embed_prompt(torch.tensor(asked + said, device=model.device), frames.flatten(0, 1))
    states = model.language_model.model(inputs_embeds=rows, use_cache=False).last_hidden_state[0]
    logits = model.get_output_embeddings()(states[len(asked) - 1 : -1])
    entropy = nn.functional.cross_entropy(logits.float(), torch.tensor(said, device=model.device))
    place = len(asked) + said.index(config.token_ids["[SEG]"])
    return entropy, model.seg_projection(states[[place]])[0]


def _merge(language_model: nn.Module, name: str, adapter: LoraLinear) -> None:
    """Put the layer back in its place, changed by its adapter."""
    with torch.no_grad():
        adapter.linear.weight += adapter.scale * (adapter.up @ adapter.down)
    parent, _, child = name.rpartition(".")
    setattr(language_model.get_submodule(parent), child, adapter.linear)
