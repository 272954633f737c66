"""CUDA graphs of a model's own calls, as long as the model is what they were captured from."""

import weakref
from typing import Any

import torch
from transformers import PreTrainedModel

from .graphed_model import GraphedModel
from .official_calls import modules_of, require_one_device
from .replay import GraphPool

# Shapes come so often before they get a graph: one call alone would only be slowed.
_PATIENCE = 2


class OwnGraphs:
    """The graphs of one model; none where they cannot be, or must not.

    They are dropped once a weight lies elsewhere or is another, a module, a hook, a mode, an attention or a `forward`
    was changed: a graph reads the places in memory that it was captured with. Weights that are changed in place stay in
    their places, and count. Flags of other libraries within their layers are not noticed: `drop` is for them.
    """

    def __init__(self) -> None:
        self._captured_from: list[Any] = []
        self._graphed: GraphedModel | None = None
        self._pools: tuple[GraphPool, ...] = ()

    def around(self, model: Any) -> Any:
        """The model with its graphs, which are captured at the third call of each shape; or the model itself.

        They are for narrower dtypes than float32, whose last bits may depend on the way that a call takes.

        Raises:
            ValueError: where the model is spread over several devices.
        """
        if not _can_have_graphs(model):
            require_one_device(model)
            self.drop()
            return model
        if _is_otherwise_watched():
            require_one_device(model)
            return model
        parts = _parts(model)
        if self._graphed is None or parts != self._captured_from:
            require_one_device(model)  # where each tensor lies is among the parts: not asked again while they are equal
            self.drop()
            # The graphs must not keep the model alive that holds them.
            first, second = self._pools = tuple(
                GraphPool(model.device, patience=_PATIENCE, is_lenient=True, is_urgent=urgent)
                for urgent in (True, False)
            )
            first.together = second.together = self._pools
            self._captured_from, self._graphed = parts, GraphedModel(weakref.proxy(model), first.replayed, second)
        return self._graphed

    @property
    def are_held(self) -> bool:
        """Whether there may be any."""
        return bool(self._pools)

    def drop(self) -> None:
        """Give the graphs and their memory back, also where a sequence is under way."""
        for pool in self._pools:
            pool.close()
        self._captured_from, self._graphed, self._pools = [], None, ()

    def __deepcopy__(self, memo: dict) -> "OwnGraphs":
        return OwnGraphs()

    def __reduce__(self) -> tuple:
        return OwnGraphs, ()


def _can_have_graphs(model: Any) -> bool:
    """Whether this model, as it is, may have any."""
    return (
        model.device.type == "cuda"
        and model.get_input_embeddings().weight.dtype != torch.float32
        and not model.training
    )


def _is_otherwise_watched() -> bool:
    """Whether this call is one that graphs would spoil, which says nothing of the next one."""
    return (
        not torch.is_inference_mode_enabled()
        or torch.is_autocast_enabled("cuda")
        or torch.cuda.is_current_stream_capturing()
    )


def _parts(model: torch.nn.Module) -> list[Any]:
    """What a graph depends on: modules, modes, hooks, and where every tensor lies.

    Looked at in each call, before anything runs on the GPU: 1,500 modules, so what is empty is passed by.
    """
    found: list[Any] = []
    for module in modules_of(model):
        own = vars(module)
        found += (id(module), own["training"], own.get("forward"))
        if own["_forward_hooks"] or own["_forward_pre_hooks"]:
            found += (*own["_forward_hooks"], *own["_forward_pre_hooks"])
        for tensor in own["_parameters"].values():
            if tensor is not None:
                found.append(tensor.data_ptr())
        if own["_buffers"]:
            found += [tensor.data_ptr() for tensor in own["_buffers"].values() if tensor is not None]
        if isinstance(module, PreTrainedModel):
            found.append(module.config._attn_implementation)
    return found
