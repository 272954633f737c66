"""The fit: just long enough to answer with `[SEG]` and to mark dark tubes."""

import math
from dataclasses import dataclass, field

import torch
from torch import nn
from tqdm import trange
from transformers.cache_utils import DynamicCache

from helpers.dev.demo.tiny_files import TURN_END
from helpers.model.components import MaskLogits, Sam2Features, pixel_shuffle
from helpers.model.language_pass import LanguagePass
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.model.processing_sa2va import normalise_tiles, sam2_pixels
from helpers.model.prompt import VisualTokens, as_prompt
from helpers.train.fine_tuning.starting_model import LoraLinear, add_adapters
from tests.support.fixture_maker.conversation import TURNS, Part, Turn
from tests.support.fixture_maker.images import TubeImage, draw_image

LORA_RANK, LORA_ALPHA = 4, 8.0
STEPS = 250
MASK_WEIGHT, DICE_WEIGHT, IOU_WEIGHT = 2.0, 0.5, 1.0
_PEAK_RATE, _LAST_RATE, _WARM_UP = 6e-3, 3e-4, 10
_SQUARES, _WIDE, _TALL = 10, 2, 1  # training pictures of each shape
_LOG_EVERY = 10
# Balanced, since the background is asked for half as often: otherwise all masks settle on the vessels first.
_PART_WEIGHTS = {Part.VESSELS: 1.0, Part.BACKGROUND: 1.5}


@dataclass(frozen=True)
class LogLine:
    """Means over the steps since the line before; `step` counts from 1, `rate` is the learning rate then."""

    step: int
    rate: float
    losses: dict[str, float]


@dataclass(frozen=True)
class Fit:
    """What training gave, beside the trained model itself.

    Attributes:
        adapters: by the name of their layer in the language model.
        log: one line for each `_LOG_EVERY` steps.
        optimizer: AdamW's state after the last step.
        seed: of the pictures, the adapters and the order.
    """

    adapters: dict[str, LoraLinear]
    log: tuple[LogLine, ...]
    optimizer: dict
    seed: int


@dataclass(frozen=True)
class _Encoded:
    """A picture as the frozen encoders see it; computed once.

    Attributes:
        tokens: (T, K, 4 v) vision tokens of an InternVL before the projector, which is trained; of another family the
            visual tokens themselves.
        pictures: number of tokens of each picture.
        sam2: features of SAM2's encoder.
        targets: for each part, (256, 256) float32 of zeros and ones.
    """

    tokens: torch.Tensor | VisualTokens
    pictures: tuple[int, ...]
    sam2: Sam2Features
    targets: dict[Part, torch.Tensor] = field(default_factory=dict)


def fit(model: Sa2VAModel, tokenizer, seed: int, steps: int = STEPS, fused_attention: bool = False) -> Fit:
    """Train adapters, embeddings, output head, projector, mask decoder and `[SEG]` projection of `model` in place.

    Args:
        model: from `build_base`; its other weights stay as they are.
        tokenizer: with Sa2VA's tokens added.
        fused_attention: queries, keys and values share the first factor, as LoRA on one weight of all three has it.
    """
    random = torch.Generator().manual_seed(seed)
    pictures = [_encode(model, picture) for picture in _training_pictures(seed)]
    model.requires_grad_(False)
    adapters = add_adapters(model.language_model, LORA_RANK, LORA_ALPHA, random)
    if fused_attention:
        for name, adapter in adapters.items():
            if name.endswith(("k_proj", "v_proj")):
                adapter.down = adapters[f"{name[:-6]}q_proj"].down
    factors = [parameter for adapter in adapters.values() for parameter in (adapter.down, adapter.up)]
    trained = list(dict.fromkeys(factors))
    for module in (
        model.get_input_embeddings(),
        model.get_output_embeddings(),
        *([model.multi_modal_projector] if _has_projector(model) else []),
        model.sam2.mask_decoder,
        model.seg_projection,
    ):
        trained += list(module.parameters())
    for parameter in trained:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(trained, lr=_PEAK_RATE, weight_decay=0.0)
    log, since = [], []
    for step in trange(1, steps + 1, desc="fitting the demo model", leave=False):
        rate = _rate(step, steps)
        optimizer.param_groups[0]["lr"] = rate
        picture = pictures[int(torch.randint(len(pictures), (), generator=random))]
        losses = _losses(model, tokenizer, picture, random)
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        since.append({"loss": total.item(), **{name: loss.item() for name, loss in losses.items()}})
        if step % _LOG_EVERY == 0 or step == steps:
            means = {name: sum(line[name] for line in since) / len(since) for name in since[0]}
            log.append(LogLine(step, rate, means))
            since = []
    model.requires_grad_(False)
    return Fit(adapters, tuple(log), optimizer.state_dict(), seed)


def _training_pictures(seed: int) -> list[TubeImage]:
    sizes = [(256, 256)] * _SQUARES + [(320, 160)] * _WIDE + [(200, 300)] * _TALL
    return [draw_image(1000 * (seed + 1) + index, *size) for index, size in enumerate(sizes)]


@torch.no_grad()
def _encode(model: Sa2VAModel, picture: TubeImage) -> _Encoded:
    config, image = model.config, picture.rgb()
    pixels = model.bridge.image_bytes(image)
    if _has_projector(model):
        states = model.vision_tower(pixel_values=normalise_tiles(pixels)).last_hidden_state[:, 1:]
        side = math.isqrt(states.shape[1])
        tokens = pixel_shuffle(states.reshape(len(states), side, side, -1), config.downsample_ratio).flatten(1, 2)
    else:
        (tokens,) = model.bridge.encode(model, [pixels])
    size = config.sam2_sizes.image_size
    features = model.encode_sam2(sam2_pixels(image, size, config.sam2_pixel_constants, torch.float32))
    mask = torch.from_numpy(picture.mask)
    parts = {Part.VESSELS: mask, Part.BACKGROUND: ~mask}
    low = (size // 4, size // 4)
    targets = {
        part: nn.functional.interpolate(target[None, None].float(), size=low, mode="nearest")[0, 0]
        for part, target in parts.items()
    }
    return _Encoded(tokens, model.bridge.image_tokens(pixels), features, targets)


def _has_projector(model: Sa2VAModel) -> bool:
    return hasattr(model, "multi_modal_projector")


def _losses(model: Sa2VAModel, tokenizer, picture: _Encoded, random: torch.Generator) -> dict[str, torch.Tensor]:
    """Losses of all turns about one picture, weighted."""
    visual = picture.tokens
    if isinstance(visual, torch.Tensor):
        visual = VisualTokens(model.multi_modal_projector(visual).flatten(0, 1))
    language, states, targets = [], [], []
    for turn in TURNS:
        loss, seg_states = _speak(model, tokenizer, turn, visual, picture.pictures, random)
        language.append(loss)
        states.append(seg_states)
        targets += [picture.targets[part] for part in turn.parts]
    masks = model.decode_masks(picture.sam2, torch.cat(states))
    weights = torch.tensor([_PART_WEIGHTS[part] for turn in TURNS for part in turn.parts])
    return {
        "llm_loss": torch.stack(language).mean(),
        **_mask_losses(masks, torch.stack(targets), weights / weights.sum()),
    }


def _speak(
    model: Sa2VAModel, tokenizer, turn: Turn, visual: VisualTokens, pictures: tuple[int, ...], random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Language loss of one turn, and the (S, H) hidden states at the `[SEG]` of its answer."""
    bridge, words = model.bridge, turn.prompts[int(torch.randint(len(turn.prompts), (), generator=random))]
    asked = bridge.prompt_ids(tokenizer, words, "", pictures if turn.has_image else None)
    said = tokenizer.encode(turn.answer + TURN_END, add_special_tokens=False)
    embedded = bridge.words(model, asked + said, pictures if turn.has_image else ())
    prompt = as_prompt(bridge.prompt(model, embedded, visual) if turn.has_image else embedded.pieces[0])
    passed = LanguagePass(model.language_model.model, bridge.seg_state)(
        prompt.rows[None],
        DynamicCache(),
        positions=None if prompt.positions is None else prompt.positions[:, None],
        levels=[level[None] for level in prompt.levels],
    )
    answer = torch.tensor(said)
    logits = model.get_output_embeddings()(passed.states[0, len(asked) - 1 : -1])
    loss = nn.functional.cross_entropy(logits, answer)
    return loss, passed.seg_states[0, len(asked) :][answer == model.config.token_ids["[SEG]"]]


def _mask_losses(masks: MaskLogits, targets: torch.Tensor, weights: torch.Tensor) -> dict[str, torch.Tensor]:
    """Cross-entropy and Dice of the chosen candidates, and the error of SAM2's own estimate of their IoU."""
    logits = masks.low_resolution
    chance, summed = logits.sigmoid(), (1, 2)
    overlap = (chance * targets).sum(summed)
    dice = 1 - (2 * overlap + 1) / (chance.sum(summed) + targets.sum(summed) + 1)
    marked = logits.detach() > 0
    both = (marked & (targets > 0)).sum(summed)
    iou = both / (marked | (targets > 0)).sum(summed).clamp(min=1)
    estimate = masks.predicted_iou.max(-1).values
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return {
        "loss_mask": MASK_WEIGHT * (weights * entropy.mean(summed)).sum(),
        "loss_dice": DICE_WEIGHT * (weights * dice).sum(),
        "loss_iou": IOU_WEIGHT * nn.functional.mse_loss(estimate, iou),
    }


def _rate(step: int, steps: int) -> float:
    """Learning rate: a short linear warm-up, then half a cosine."""
    if step <= _WARM_UP:
        return _PEAK_RATE * step / _WARM_UP
    progress = (step - _WARM_UP) / max(steps - _WARM_UP, 1)
    return _LAST_RATE + (_PEAK_RATE - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * progress))
