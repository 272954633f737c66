"""Train a small model on synthetic sequences, so that following frames can be measured at all: memory, then answer.

The published SAM2 brings its memory trained; a model made here from nothing does not. All else stays as it is, so that
single frames are predicted as before. On a CPU the memory is trained on windows of the frames: its attention knows
places only by their distance, and a window of 32 x 32 of 64 x 64 places takes about a tenth of the time.

A language model that was trained on single frames has never read a request about several, and may answer it without
`[SEG]`; no sequence can then be tracked. Low-rank adapters learn the answer of the training data, and at its `[SEG]`
the prompt that single frames of the sequence give SAM2, so that no mask means anything new. They are merged, and all
else stays as it is. It takes seconds on a CPU: SAM2 has no part in it.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from tqdm import trange

from helpers.core.errors import VesselkitError
from helpers.data.cases import Case
from helpers.data.frames.frame_source import read_frame
from helpers.model.bridge import bridge_of
from helpers.model.image_mode import to_rgb
from helpers.model.processing_sa2va import build_prompt, image_text, normalise_tiles, sam2_bytes
from helpers.model.tracking import FrameFeatures, Tracker
from helpers.model.video import FRAMES_SEEN, answer_frames, encode_frames
from helpers.train.fine_tuning.samples import ANSWERS
from helpers.train.fine_tuning.starting_model import LoraLinear, add_adapters

TRAINED = ("memory_attention.", "memory_encoder.", "object_pointer_proj.", "memory_temporal_positional_encoding")
FOLLOWED = 4


def descend(
    trained: Sequence[nn.Parameter],
    loss_of: Callable[[], torch.Tensor],
    steps: int,
    rate: float,
    decay: float,
    name: str,
) -> float:
    """Train weights in place over one cycle of the learning rate; the mean loss of the last tenth of the steps.

    Args:
        loss_of: the loss of the next step, a scalar.
        rate, decay: highest learning rate, and AdamW's weight decay.
        name: of what is learnt, beside the bar.
    """
    optimiser = torch.optim.AdamW(trained, lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    losses = []
    for _ in trange(steps, desc=name, disable=None):
        loss = loss_of()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.detach())
    return float(torch.stack(losses[-max(1, steps // 10) :]).mean())


class Film:
    """A sequence with its features, truths on the model's grid and `[SEG]` states, all on the model's device."""

    def __init__(self, model, tokenizer, cases: Sequence[Case], prompt: str):
        """Read and encode all frames of one sequence.

        Raises:
            VesselkitError: where the language model answers without `[SEG]`: there is nothing to track.
        """
        side = model.config.sam2_sizes.image_size
        frames = [to_rgb(read_frame(case.frame.path, case.frame.index, case.frame.bits)) for case in cases]
        with torch.inference_mode():
            tiles = bridge_of(model).frame_bytes(frames[:FRAMES_SEEN])
            answer = answer_frames(model, tiles, prompt, "", tokenizer, 16)
            states = answer.seg_states
            if not len(states):
                raise VesselkitError(
                    f"the model: expected [SEG] in the answer to {prompt!r} about {len(tiles)} frames, got "
                    f"{tokenizer.decode(answer.token_ids)!r}. It was trained on single frames alone: train it with a "
                    "share of `several` (docs/training.md), or teach it the answer (`train_answer`)"
                )
            tracker = Tracker(model.sam2, states)
            encoded = [encode_frames(model, tracker.encode_all, sam2_bytes(one, side))[0] for one in frames]
            self.prompts = model.seg_projection(states)
        truths = [
            torch.from_numpy(case.truth.mask(*frame.size))
            for case, frame in zip(cases, frames, strict=True)
            if case.truth is not None  # synthetic frames have one each
        ]
        whole = torch.stack(truths)[:, None].float().to(model.device)
        self.truths = nn.functional.interpolate(whole, size=(side // 4, side // 4), mode="area")[:, 0]
        self.features = [_kept(one) for one in encoded]
        self.prompts = self.prompts.clone()

    def __len__(self) -> int:
        return len(self.features)


def train_memory(
    model, films: Sequence[Film], steps: int, seed: int, rate: float = 1e-3, window: int | None = None
) -> float:
    """Train in place; returns the mean loss of the last tenth of the steps.

    Args:
        window: side in places of the memory map, at most that of the map; None for whole frames.
    """
    chance = random.Random(seed)
    trained = [one for name, one in model.sam2.named_parameters() if name.startswith(TRAINED)]
    model.requires_grad_(False)
    for one in trained:
        one.requires_grad_(True)

    def loss() -> torch.Tensor:
        film = chance.choice(films)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=model.device.type == "cuda"):
            return _loss(model, film, *_plan(len(film), chance), window, chance)

    last = descend(trained, loss, steps, rate, 0.01, "memory")
    model.requires_grad_(False)
    return last


def _plan(count: int, chance: random.Random) -> tuple[list[int], list[int], bool]:
    """Frames to prompt, frames to follow in order, and whether backwards."""
    if chance.random() < 0.5:
        start = chance.randrange(max(1, count - FRAMES_SEEN - FOLLOWED))
        prompted = list(range(start, start + FRAMES_SEEN))
    else:
        prompted = sorted(chance.sample(range(count), FRAMES_SEEN))
    later = [at for at in range(prompted[0] + 1, count) if at not in prompted]
    earlier = list(range(prompted[0] - 1, -1, -1))
    backwards = bool(earlier) and (not later or chance.random() < 0.5)
    return prompted, (earlier if backwards else later)[:FOLLOWED], backwards


def _loss(
    model,
    film: Film,
    prompted: list[int],
    followed: list[int],
    backwards: bool,
    window: int | None,
    chance: random.Random,
) -> torch.Tensor:
    whole = film.truths.shape[-1] // 4
    side = window or whole
    top, left = chance.randint(0, whole - side), chance.randint(0, whole - side)
    tracker = Tracker(model.sam2, film.prompts)
    with _windowed(tracker, model.sam2, whole, top, left, side):
        for at in prompted:
            tracker.prompt(at, _cut(film.features[at], top, left, side))
        if backwards:
            tracker.turn_back()
        logits = torch.stack(
            [tracker.follow(at, _cut(film.features[at], top, left, side)).low_resolution[0] for at in followed]
        )
    truth = film.truths[followed, 4 * top : 4 * (top + side), 4 * left : 4 * (left + side)]
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, truth)
    share = logits.sigmoid()
    overlap = (2 * (share * truth).sum((1, 2)) + 1) / (share.sum((1, 2)) + truth.sum((1, 2)) + 1)
    return 2 * entropy + 0.5 * (1 - overlap).mean()


@contextmanager
def _windowed(tracker: Tracker, sam2, whole: int, top: int, left: int, side: int) -> Iterator[None]:
    """SAM2 on a window of its map, as if the rest were not there."""
    attention, encoder = sam2.memory_attention, sam2.prompt_encoder
    kept = (sam2.config.image_size, encoder.image_embedding_size, attention.position_ids)
    places = slice(top, top + side), slice(left, left + side)
    positions = sam2.get_image_wide_positional_embeddings()[..., *places]
    memory = sam2.memory_encoder.position_encoding((1, 1, whole, whole), positions.device, positions.dtype)
    tracker._memory_positions = memory[..., *places].flatten(2).permute(2, 0, 1)
    sam2.config.image_size, encoder.image_embedding_size = 16 * side, (side, side)
    attention.position_ids = kept[2].view(whole, whole, 2)[:side, :side].reshape(-1, 2)
    sam2.get_image_wide_positional_embeddings = lambda: positions
    try:
        yield
    finally:
        sam2.config.image_size, encoder.image_embedding_size, attention.position_ids = kept
        del sam2.get_image_wide_positional_embeddings


def _cut(features: FrameFeatures, top: int, left: int, side: int) -> FrameFeatures:
    """The window of a frame's features."""

    def cut(maps: torch.Tensor, scale: int) -> torch.Tensor:
        return maps[..., scale * top : scale * (top + side), scale * left : scale * (left + side)]

    fine, middle = features.high_resolution
    return FrameFeatures(cut(features.embedding, 1), (cut(fine, 4), cut(middle, 2)), cut(features.positions, 1))


def _kept(features: FrameFeatures) -> FrameFeatures:
    """Features that may take part in training."""
    embedding, (fine, middle) = features.embedding, features.high_resolution
    return FrameFeatures(embedding.clone(), (fine.clone(), middle.clone()), features.positions.clone())


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
