"""Names that wrappers of torch made longer: read where that is certain, else refused."""

from pathlib import Path

import pytest
import torch

from helpers.checkpoints.read.weight_source import CheckpointKind, open_source
from helpers.checkpoints.read.wrapper_names import plain_names
from helpers.core.errors import RefusedInput

PATH = Path("iter_9.pth")
PLAIN = ["mllm.model.a.weight", "text_hidden_fcs.0.weight"]


@pytest.mark.parametrize(
    ("stored", "wrappers"),
    [
        (PLAIN, ()),
        ([f"module.{name}" for name in PLAIN], ("DistributedDataParallel",)),
        ([f"module.module.{name}" for name in PLAIN], ("DistributedDataParallel",)),
        ([f"_orig_mod.{name}" for name in PLAIN], ("torch.compile",)),
        ([f"_orig_mod.module.{name}" for name in PLAIN], ("torch.compile", "DistributedDataParallel")),
        ([f"module._orig_mod.{name}" for name in PLAIN], ("torch.compile", "DistributedDataParallel")),
        (["mllm.model._orig_mod.a.weight", PLAIN[1]], ("torch.compile",)),
        (["mllm._fsdp_wrapped_module.model.a._checkpoint_wrapped_module.weight", PLAIN[1]],
         ("FullyShardedDataParallel", "activation checkpoints")),
    ],
)  # fmt: skip
def test_what_wrappers_put_into_names_is_taken_out(stored, wrappers):
    found = plain_names(stored, PATH)
    assert found.stored == dict(zip(PLAIN, stored, strict=True)) and found.wrappers == wrappers


def test_a_module_of_that_name_further_in_stays():
    assert plain_names(["vision.module.weight"], PATH).wrappers == plain_names([], PATH).wrappers == ()


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (["module.a", "b"], "iter_9.pth: some names begin with 'module.', as DistributedDataParallel puts it in front"),
        (["_orig_mod.a", "a"], "iter_9.pth holds a twice, with and without what torch.compile puts into names"),
    ],
)
def test_names_of_which_only_some_are_wrapped_are_refused(stored, said):
    with pytest.raises(RefusedInput) as caught:
        plain_names(stored, PATH)
    assert str(caught.value).startswith(said)


def test_a_wrapped_checkpoint_is_of_the_same_kind_and_gives_its_tensors(tmp_path):
    names = ("grounding_encoder.a", "text_hidden_fcs.0.weight")
    torch.save({f"module.{name}": torch.full((2,), 3.0) for name in names}, tmp_path / "wrapped.pth")
    with open_source(tmp_path / "wrapped.pth") as source:
        assert source.kind is CheckpointKind.FLAT and source.wrappers == ("DistributedDataParallel",)
        assert list(source.tensors) == [info.name for info in source.tensors.values()] == list(names)
        assert source.read(names[0]).tolist() == [3.0, 3.0]
