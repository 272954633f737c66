"""A data set of the kit for mmengine's data loader. Its items hold frames alone, never ground truth."""

from collections.abc import Iterator, Mapping, Sized
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from mmengine.dist import get_dist_info
from torch.utils.data import Dataset as TorchDataset

from helpers.core.errors import UsageProblem
from helpers.data.dataset import Dataset
from helpers.data.frames.frame import Frame
from helpers.data.opening import Opening
from helpers.prediction.work_shards import WorkShard
from helpers.train.test_route.mmengine_scope import DATA_SAMPLERS, DATASETS


@DATASETS.register_module()
class FrameDataset(TorchDataset):
    """The frames of a data set in any layout of docs/datasets.md, one `{"frame": Frame}` for each case."""

    def __init__(self, data: str, *, limit: int | None = None, **opening: Any):
        """Open the data set.

        Args:
            data: its folder or annotation file.
            limit: only the first so many cases; None for all.
            opening: further fields of `helpers.data.opening.Opening`.
        Raises:
            UsageProblem, RefusedInput: as `Opening.open`.
        """
        if limit is not None and limit < 1:
            raise UsageProblem(f"test_dataloader.dataset.limit: expected at least 1, got {limit}")
        opened = opened_by_config("test_dataloader", data, opening)
        self.opened: Dataset = replace(opened, cases=opened.cases[:limit])

    @property
    def metainfo(self) -> Mapping[str, Dataset]:
        """What mmengine hands to metrics, and to no model: the opened data set with its ground truth."""
        return {"dataset": self.opened}

    @cached_property
    def _frames(self) -> tuple[Frame, ...]:
        return self.opened.frames

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> dict[str, Frame]:
        return {"frame": self._frames[index]}


class _SharedOut(Protocol):
    """What shares a data set out, as mmengine's samplers do."""

    dataset: Sized


@DATA_SAMPLERS.register_module()
class FixedBatches:
    """The batches that `vesselkit predict` makes, shared among processes as it shares them.

    mmengine's own sampler deals single samples out, so that what a batch holds depends on the number of processes, and
    repeats some to make all processes equal.
    """

    def __init__(self, sampler: _SharedOut, batch_size: int):
        """Make the batches of this process.

        Args:
            sampler: of mmengine, whose `dataset` is shared out.
            batch_size: frames of a batch, at least 1.
        """
        if batch_size < 1:
            raise UsageProblem(f"test_dataloader.batch_size: expected at least 1, got {batch_size}")
        rank, world = get_dist_info()
        shard = WorkShard(rank + 1, world)
        count = len(sampler.dataset)
        starts = range(0, count, batch_size)
        self._batches = [
            list(range(start, min(start + batch_size, count)))
            for place, start in enumerate(starts)
            if shard.takes(place)
        ]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)


def opened_by_config(loader: str, data: str | None, opening: Mapping[str, Any]) -> Dataset:
    """The data set that a config describes.

    Args:
        loader: name of the data loader in the config, for messages.
        data: folder or annotation file; `~` is the home folder.
        opening: further fields of `Opening`; a key's file as text.
    Raises:
        UsageProblem: for fields that `Opening` does not have, and as `Opening.open`.
        RefusedInput: as `Opening.open`.
    """
    if not data:
        raise UsageProblem(f"{loader}.dataset.data: expected a folder or annotation file, got none")
    known = [one.name for one in fields(Opening)]
    strays = [name for name in opening if name not in known]
    if strays:
        raise UsageProblem(f"{loader}.dataset.{strays[0]}: expected one of {', '.join(known)}")
    key = opening.get("id_key")
    given = {**opening, "id_key": None if key is None else Path(key).expanduser()}
    return Opening(Path(data).expanduser(), **given).open_to_score()
