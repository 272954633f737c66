"""Sa2VA as mmengine's Runner trains it: one request with one `[SEG]` a sample, official losses, official checkpoint."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import nn

from helpers.core.errors import UsageProblem
from helpers.model.components import Sam2Features, pixel_shuffle
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.model.processing_sa2va import IMAGE_CONTEXT, build_prompt, image_text, normalise_sam2, normalise_tiles
from helpers.prediction.engine.composition import compose
from helpers.train.fine_tuning.checkpoint_layout import TrainedPart, load_trained, trained_tensors
from helpers.train.fine_tuning.losses import PointSampling, iou_loss, mask_losses
from helpers.train.fine_tuning.shape_losses import SHAPE_LOSSES, ShapeLoss, on_grid
from helpers.train.fine_tuning.starting_model import Initial, add_adapters, from_bases
from helpers.train.test_route.mmengine_scope import MODELS

_FROZEN_IN_LORA = ("vision_tower.", "language_model.", "sam2.")
_TRAINED_IN_LORA = ("sam2.mask_decoder.", "language_model.lm_head.", "language_model.model.embed_tokens.")
_IGNORED = -100


@MODELS.register_module()
class Sa2VAForTraining(BaseModel):
    """Sa2VA with its losses. Its state dict is the official training checkpoint's, which `vesselkit convert` reads.

    The parameters carry the names of the official training config.
    """

    def __init__(
        self,
        mllm: Mapping[str, Any] | None = None,
        grounding_encoder: Mapping[str, Any] | None = None,
        *,
        template: str = "qwen_chat",
        special_tokens: Sequence[str] = SPECIAL_TOKENS,
        pretrained_pth: str | None = None,
        trained: str = "lora",
        loss_mask: Mapping[str, float] | None = None,
        loss_dice: Mapping[str, float] | None = None,
        loss_iou: Mapping[str, float] | None = None,
        loss_centreline: Mapping[str, float] | None = None,
        loss_cldice: Mapping[str, float] | None = None,
        loss_boundary: Mapping[str, float] | None = None,
        points: int = 12544,
        uncertain: float = 0.75,
        amp: bool | None = None,
        frozen_dtype: str | None = None,
        activation_checkpointing: bool = False,
        compiled: bool = False,
        seed: int = 0,
    ):
        """Build the model.

        Args:
            mllm: `model_path`, folder of the InternVL base; `llm_lora`, with `r`, `lora_alpha` and `lora_dropout`.
            grounding_encoder: `ckpt_path`, the SAM 2.0 file; `cfg_path`, a preset or a JSON file of its sizes.
            template: name of the chat template.
            special_tokens: in the order of their ids.
            pretrained_pth: a Sa2VA to go on from, in any form that `vesselkit convert` reads; it is composed with the
                bases where it needs them, every tensor accounted for.
            trained: `lora`, or `all` weights.
            loss_mask, loss_dice, loss_iou: each with its `loss_weight`: 2, 0.5 and, as in the official training, 0.
            loss_centreline, loss_cldice, loss_boundary: each with its `loss_weight`, 0, see `shape_losses`; what makes
                vessels connected also bridges occlusions (docs/training.md).
            points: of each mask that are compared.
            uncertain: share of them that are the most uncertain of three times as many; what is missed with certainty
                is then seldom looked at, so that a model that knows nothing yet learns faster from fewer.
            amp: bfloat16 autocast; None where there is a GPU.
            frozen_dtype: of the weights that are not trained; None for bfloat16 under autocast.
            activation_checkpointing: compute the language model's activations twice, to save memory.
            compiled: SAM2 through torch.compile, which takes two minutes first and pays in long runs on a GPU.
            seed: of new weights, and of the points.
        Raises:
            UsageProblem, RefusedInput: for sources that do not fit together.
        """
        super().__init__()
        mllm, grounding_encoder = dict(mllm or {}), dict(grounding_encoder or {})
        self.trained = _choice("model.trained", trained)
        base, sam2 = mllm.get("model_path"), grounding_encoder.get("ckpt_path")
        sizes = grounding_encoder.get("cfg_path")
        random = torch.Generator().manual_seed(seed)
        if pretrained_pth is not None:
            initial = _pretrained(pretrained_pth, base, sam2, sizes, template)
        elif base and sam2:
            initial = from_bases(_path(base), _path(sam2), sizes or "hiera_l", template, tuple(special_tokens), random)
        else:
            raise UsageProblem(
                "model: expected mllm.model_path, an InternVL folder, and grounding_encoder.ckpt_path, a SAM 2.0 file; "
                "or pretrained_pth (a Sa2VA)"
            )
        self.sa2va: Sa2VAModel = initial.model
        self.tokenizer = initial.tokenizer
        self._weights = {
            "loss_mask": dict(loss_mask or {}).get("loss_weight", 2.0),
            "loss_dice": dict(loss_dice or {}).get("loss_weight", 0.5),
            "loss_iou": dict(loss_iou or {}).get("loss_weight", 0.0),
        }
        given = dict(zip(ShapeLoss, (loss_centreline, loss_cldice, loss_boundary), strict=True))
        self._weights |= {name.value: dict(one or {}).get("loss_weight", 0.0) for name, one in given.items()}
        self._sampling, self._seed = PointSampling(points, uncertain=uncertain), seed
        self._amp = torch.cuda.is_available() if amp is None else amp
        self._prepare(dict(mllm.get("llm_lora") or {}), frozen_dtype, random)
        if activation_checkpointing:
            self.sa2va.language_model.gradient_checkpointing_enable({"use_reentrant": False})
        if compiled:
            self.sa2va.sam2.vision_encoder.compile(dynamic=False)
            self.sa2va.sam2.mask_decoder.compile(dynamic=False)
        self._encode = lru_cache(maxsize=256)(self._encode_turn)

    def state_dict(self, *_: Any, **__: Any) -> OrderedDict[str, torch.Tensor]:
        """The tensors of a checkpoint, see `layout.trained_tensors`."""
        return trained_tensors(self.sa2va, self.adapters, self.trained)

    def init_weights(self) -> None:
        """Nothing: mmengine would call transformers' own, which draws weights anew that were read from files."""

    def load_trained(self, stored: Mapping[str, torch.Tensor]) -> None:
        """Put a checkpoint's tensors back. Raises RefusedInput where they are not this run's."""
        load_trained(self.sa2va, self.adapters, stored, self.trained)

    def forward(self, mode: str = "loss", **data: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Losses of a batch, weighted. Called by mmengine.

        Args:
            mode: `loss`.
            data: lists of the items of `SegmentationSamples`, by their names.
        """
        if mode != "loss":
            raise UsageProblem(
                f"mode: expected 'loss', since this model only trains, got {mode!r}. Predict with vesselkit predict"
            )
        self._require_sizes(data)
        device, seed = next(self.parameters()).device, self._seed + int(data["position"][0])
        # Dropout draws from torch's own generator: seeded by position, a resumed run draws what it would have drawn.
        torch.manual_seed(seed)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._amp):
            llm_loss, states = self._speak(data, device)
            pixels = torch.cat([_three_channels(one[None].to(device, non_blocking=True)) for one in data["pixels"]])
            features = self._sam2_features(normalise_sam2(pixels, "exact", torch.float32))
            masks, estimates = self._masks(features, states)
        truth = torch.stack(list(data["truth"])).to(device, non_blocking=True).float()
        truth = truth.repeat_interleave(len(masks) // len(truth), dim=0)
        random = torch.Generator(device).manual_seed(seed)
        entropy, dice = mask_losses(masks, truth, self._sampling, random)
        losses = {"llm_loss": llm_loss, "loss_mask": entropy, "loss_dice": dice}
        if self._weights["loss_iou"]:
            losses["loss_iou"] = iou_loss(estimates, masks, truth)
        for name, loss in SHAPE_LOSSES.items():
            if self._weights[name.value]:
                losses[name.value] = loss(on_grid(masks, truth), truth)
        return {name: self._weights.get(name, 1.0) * loss for name, loss in losses.items()}

    def _require_sizes(self, data: Mapping[str, Sequence[Any]]) -> None:
        """Raise UsageProblem where samples are made for another SAM2 or another vision tower than the model's."""
        config = self.sa2va.config
        given = {"sam2_size": data["pixels"][0], "tile_size": data["tiles"][0]}
        taken = {"sam2_size": config.sam2_sizes.image_size, "tile_size": config.vision_config.image_size}
        for name, side in taken.items():
            sides = tuple(side) if isinstance(side, Sequence) else (side, side)
            if tuple(given[name].shape[-2:]) != sides:
                raise UsageProblem(
                    f"train_dataloader.dataset.{name}: expected {sides[0]}, as the model takes, got "
                    f"{given[name].shape[-1]}. Give --cfg-options train_dataloader.dataset.{name}={sides[0]}"
                )

    def _prepare(self, lora: dict[str, Any], frozen_dtype: str | None, random: torch.Generator) -> None:
        """Freeze what is not trained, add the adapters."""
        model = self.sa2va.requires_grad_(True)
        if self.trained is TrainedPart.ALL:
            self.adapters = {}
            return
        rank, alpha = lora.get("r", 128), lora.get("lora_alpha", 256)
        if rank < 1 or alpha <= 0:
            raise UsageProblem(f"model.mllm.llm_lora: expected r and lora_alpha above 0, got {rank} and {alpha}")
        narrow = getattr(torch, frozen_dtype) if frozen_dtype else torch.bfloat16 if self._amp else torch.float32
        for name, parameter in model.named_parameters():
            if name.startswith(_FROZEN_IN_LORA) and not name.startswith(_TRAINED_IN_LORA):
                parameter.requires_grad_(False)
                parameter.data = parameter.data.to(narrow)
        dropout = lora.get("lora_dropout", 0.0)
        self.adapters = add_adapters(model.language_model, rank, float(alpha), random, dropout)

    def _speak(self, data: Mapping[str, Sequence[Any]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Language loss of the answers, and the (B, H) states at their `[SEG]`."""
        model, tokens = self.sa2va, self.sa2va.config.token_ids
        counts = [len(tiles) for tiles in data["tiles"]]
        asked_for = zip(data["prompt"], data["answer"], counts, data["frames"], strict=True)
        turns = [self._encode(*turn) for turn in asked_for]
        # Rows are put together on the CPU, so that the GPU is not waited for.
        ids = _padded([asked + said for asked, said in turns], 0)
        wanted = _padded([[_IGNORED] * len(asked) + said for asked, said in turns], _IGNORED)
        lengths = torch.tensor([[len(asked) + len(said)] for asked, said in turns])
        mask = (torch.arange(ids.shape[1]) < lengths).long()
        images = torch.nonzero((ids == tokens[IMAGE_CONTEXT]).flatten())[:, 0]
        segs = torch.nonzero((wanted == tokens["[SEG]"]).flatten())[:, 0]
        spoken = torch.nonzero((wanted[:, 1:] != _IGNORED).flatten())[:, 0]
        next_ids = wanted[:, 1:].flatten()[spoken]
        on_device = [one.to(device, non_blocking=True) for one in (ids, mask, images, segs, spoken, next_ids)]
        ids, mask, images, segs, spoken, next_ids = on_device
        visual = model.multi_modal_projector(self._vision_tokens(data["tiles"], device)).flatten(0, 1)
        embeddings = model.get_input_embeddings()(ids)
        embeddings = embeddings.flatten(0, 1).index_copy(0, images, visual.to(embeddings.dtype)).view_as(embeddings)
        states = model.language_model.model(
            inputs_embeds=embeddings, attention_mask=mask, use_cache=False
        ).last_hidden_state
        logits = model.get_output_embeddings()(states[:, :-1].flatten(0, 1)[spoken])
        loss = nn.functional.cross_entropy(logits.float(), next_ids)
        return loss, states.flatten(0, 1)[segs]

    def _masks(self, features: Sam2Features, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (S, h, w) that are compared, and estimates of their IoU (S,).

        One mask a `[SEG]`, the one that prediction takes. Where all weights are trained it is all three of SAM2's, one
        after the other: from nothing, the estimates do not yet tell which is best.
        """
        index = torch.arange(len(states), device=states.device)
        if self.trained is TrainedPart.ALL:
            all_three = self.sa2va.decode_candidates(features, states, index)
            return all_three.logits.flatten(0, 1).float(), all_three.predicted_iou.flatten()
        found = self.sa2va.decode_masks(features, states, index)
        return found.low_resolution, found.predicted_iou.max(-1).values

    def _vision_tokens(self, tiles: Sequence[torch.Tensor], device: torch.device) -> torch.Tensor:
        """(tiles, tokens, channels) before the projector."""
        tower = self.sa2va.vision_tower
        pixels = normalise_tiles(torch.cat([_three_channels(one.to(device, non_blocking=True)) for one in tiles]))
        with torch.set_grad_enabled(self.trained is TrainedPart.ALL):
            states = tower(pixel_values=pixels.to(next(tower.parameters()).dtype)).last_hidden_state[:, 1:]
        side = int(states.shape[1] ** 0.5)
        grid = pixel_shuffle(states.reshape(len(states), side, side, -1), self.sa2va.config.downsample_ratio)
        return grid.flatten(1, 2)

    def _sam2_features(self, pixels: torch.Tensor) -> Sam2Features:
        """As `Sa2VAModel.encode_sam2`, which gives no gradients, with those of the decoder's own convolutions."""
        sam2 = self.sa2va.sam2
        with torch.set_grad_enabled(self.trained is TrainedPart.ALL):
            encoder = sam2.vision_encoder
            stride_4, stride_8, stride_16 = encoder(pixels.to(next(encoder.parameters()).dtype)).fpn_hidden_states
        embedding = stride_16 + sam2.no_memory_embedding.view(1, -1, 1, 1)
        decoder = sam2.mask_decoder
        return Sam2Features(embedding, (decoder.conv_s0(stride_4), decoder.conv_s1(stride_8)))

    def _encode_turn(self, prompt: str, answer: str, tiles: int, frames: int) -> tuple[list[int], list[int]]:
        """Ids of the request about frames, with all their tiles, and of the answer with its end."""
        config = self.sa2va.config
        image = "\n".join([image_text(tiles // frames, config.tokens_per_tile)] * frames)
        asked = self.tokenizer.encode(build_prompt(prompt, "", config.instruction, image))
        said = self.tokenizer.encode(answer + config.stop_words[0], add_special_tokens=False)
        return asked, said


def _padded(rows: list[list[int]], filler: int) -> torch.Tensor:
    """Rows of ids as one int64 tensor."""
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=filler)


def _choice(name: str, given: str) -> TrainedPart:
    if given not in {one.value for one in TrainedPart}:
        raise UsageProblem(f"{name}: expected one of {', '.join(TrainedPart)}, got {given!r}")
    return TrainedPart(given)


def _three_channels(pixels: torch.Tensor) -> torch.Tensor:
    """(n, C, H, W) of one or three channels as three."""
    return pixels.expand(-1, 3, -1, -1)


def _path(given: str) -> Path:
    return Path(given).expanduser()


def _pretrained(path: str, base: str | None, sam2: str | None, sizes: str | None, template: str) -> Initial:
    bases = [None if one is None else _path(one) for one in (base, sam2)]
    found = compose(_path(path), *bases, sam2_config=sizes, template=template, device="cpu", dtype="float32")
    return Initial(found.model.float(), found.tokenizer)
