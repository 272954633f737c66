"""Which model lies beneath the trained tensors, told from options, configs and names alone."""

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.convert.base_models import (
    is_whole,
    misfit_message,
    missing_pretrained,
    open_pretrained,
    pretrained_notes,
    require_base_of_run,
    settle_pretrained,
)
from helpers.checkpoints.convert.conversion_settings import Candidate, Setting, TrainingRunConfig
from helpers.checkpoints.convert.plan import ConversionPlan, Fate, Rows, SourceFate, SourceRole, Target, TensorOrigin
from helpers.checkpoints.read.weight_source import CheckpointKind
from helpers.core.errors import RefusedInput, UsageProblem
from tests.support.checkpoint_samples import EXPORT_TENSORS
from tests.support.listed_sources import listed, run_config

LANGUAGE, SAM2 = "language_model.model.norm.weight", "grounding_encoder.sam2_model.image_encoder.trunk.pos_embed"
LORA = "mllm.model.language_model.base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight"
PART = listed(CheckpointKind.MMENGINE, [LORA], "run/iter_9.pth")
BASE = listed(CheckpointKind.INTERNVL_BASE, [LANGUAGE], "models/InternVL")
SA2VA = listed(CheckpointKind.HF_EXPORT, [LANGUAGE, SAM2], "models/Sa2VA-8B")
NAMED = run_config(pretrained_pth="old/Sa2VA.pth", base_path="models/InternVL")
PLAIN = run_config(base_path="models/InternVL")


@pytest.mark.parametrize(
    ("names", "whole"),
    [
        (("vision_model.embeddings.class_embedding", LANGUAGE, SAM2), True),
        (("model.visual.patch_embed.proj.weight", "model.language_model.norm.weight", SAM2), True),
        ((LANGUAGE, SAM2), False),
        (("vision_model.embeddings.class_embedding", SAM2), False),
        (("vision_model.embeddings.class_embedding", LANGUAGE), False),
        (("vision_model.embeddings.class_embedding", LANGUAGE, SAM2, LORA), False),
    ],
)
def test_a_checkpoint_is_whole_where_each_part_is_there_and_no_lora(names, whole):
    assert is_whole(listed(CheckpointKind.FLAT, names, "x.pth")) is whole
    assert is_whole(listed(CheckpointKind.NATIVE, names, "x"))


def test_tensors_that_do_not_fit_are_listed_up_to_five():
    misfits = {f"t{number}": ((number,), (number, 2)) for number in range(6)}
    shown = "; ".join(f"t{number} [{number}], in the model [{number}, 2]" for number in range(5))
    begin = "--pretrained a.pth does not fit --base B: {} tensors of another shape than the model's, and training stops"
    said = misfit_message("a.pth", "B", misfits)
    assert said.startswith(begin.format(6)) and f"({shown}; ...)" in said
    del misfits["t5"]
    assert f"({shown})" in misfit_message("a.pth", "B", misfits)


@pytest.mark.parametrize(
    ("given", "run", "base", "found"),
    [
        ("none", NAMED, BASE, ("none", "--pretrained", "old/Sa2VA.pth")),
        ("other/Mine.pth", NAMED, BASE, ("Mine.pth", "--pretrained", "old/Sa2VA.pth")),
        ("other/Sa2VA.pth", NAMED, BASE, ("Sa2VA.pth", "--pretrained", None)),
        (None, NAMED, SA2VA, ("Sa2VA-8B", "--base", "old/Sa2VA.pth")),
        (None, PLAIN, SA2VA, (None, None, None)),
        (None, PLAIN, BASE, (None, None, None)),
        (None, TrainingRunConfig(), None, (None, None, None)),
    ],
)
def test_which_sa2va_lies_beneath(given, run, base, found):
    value, source, other = found
    others = () if other is None else (Candidate(other, "the config"),)
    assert settle_pretrained(given, run, PART, base) == Setting("pretrained", value, source, others)


@pytest.mark.parametrize(
    ("given", "base", "said"),
    [
        ("none", SA2VA, "--pretrained none says that training loaded no Sa2VA, and --base Sa2VA-8B is one"),
        ("a.pth", None, "--pretrained: is read over the base of --base, got no --base"),
        ("a.pth", SA2VA, "--pretrained: is read over the base of --base, got --base Sa2VA-8B, a Sa2VA itself"),
    ],
)
def test_options_that_contradict_each_other_are_told(given, base, said):
    with pytest.raises(UsageProblem, match=said):
        settle_pretrained(given, NAMED, PART, base)


def test_a_sa2va_that_the_config_names_or_may_name_is_missed():
    with pytest.raises(RefusedInput, match=r"--base InternVL with --pretrained FILE_OR_DIR"):
        settle_pretrained(None, NAMED, PART, BASE)
    said = str(missing_pretrained(NAMED, None))
    assert "the config names pretrained_pth='old/Sa2VA.pth': training loaded that Sa2VA over the base's folder" in said
    said = str(missing_pretrained(run_config(unread=("pretrained_pth: f()",)), BASE))
    assert "gives pretrained_pth as f(), which is not computed: where that is a Sa2VA, training loaded it over" in said
    native = listed(CheckpointKind.NATIVE, [LANGUAGE], "models/mine")
    for run, base in ((NAMED, SA2VA), (NAMED, native), (PLAIN, BASE), (TrainingRunConfig(), BASE)):
        assert missing_pretrained(run, base) is None


@pytest.mark.parametrize(
    ("run", "checkpoint", "base", "stops"),
    [
        (PLAIN, PART, SA2VA, True),
        (PLAIN, PART, BASE, False),
        (PLAIN, PART, None, False),
        (NAMED, PART, SA2VA, False),
        (run_config(), PART, SA2VA, False),
        (run_config(base_path="x/Sa2VA-8B"), PART, SA2VA, False),
        (run_config(base_path="models/InternVL", unread=("pretrained_pth: f()",)), PART, SA2VA, False),
        (PLAIN, listed(CheckpointKind.PEFT_ADAPTER, [LORA], "adapter"), SA2VA, False),
        (PLAIN, listed(CheckpointKind.NATIVE, [LANGUAGE], "mine"), SA2VA, False),
        (TrainingRunConfig(), PART, SA2VA, False),
    ],
)
def test_a_sa2va_as_the_base_of_a_run_that_began_elsewhere_is_refused(run, checkpoint, base, stops):
    if not stops:
        require_base_of_run(run, checkpoint, base)
        return
    with pytest.raises(RefusedInput, match="--base Sa2VA-8B is a Sa2VA, .* the run began from InternVL, where its"):
        require_base_of_run(run, checkpoint, base)


def plan(*, spare: int, kept: int, role: SourceRole) -> ConversionPlan:
    """One target from the Sa2VA, `kept` others, and tensors of the Sa2VA without a place."""
    roles = [SourceRole.PRETRAINED, *[role] * kept]
    targets = [Target(f"t{n}", (1,), TensorOrigin.BASE, (Rows(one, "w", 0, 1),)) for n, one in enumerate(roles)]
    fates = {"used": SourceFate(Fate.USED), **{f"s{n}": SourceFate(Fate.NOT_TAKEN) for n in range(spare)}}
    return ConversionPlan(tuple(targets), {SourceRole.PRETRAINED: fates})


@pytest.mark.parametrize("role", [SourceRole.BASE, SourceRole.SAM2])
def test_what_nothing_took_of_a_sa2va_and_what_it_lacks_are_notes(role):
    opened = {SourceRole.PRETRAINED: listed(CheckpointKind.FLAT, ["a", "b", "c"], "x/Sa2VA.pth")}
    assert pretrained_notes(opened, plan(spare=0, kept=0, role=role)) == []
    assert pretrained_notes({}, plan(spare=1, kept=1, role=role)) == []
    assert pretrained_notes(opened, plan(spare=2, kept=5, role=role)) == [
        "Sa2VA.pth: 2 of its 3 tensors without a place in the model, skipped as in training, for example s0",
        "Sa2VA.pth lacks 5 tensors of the model, with the base's values in their place: t1, t2, t3, t4, t5",
    ]
    (note,) = pretrained_notes(opened, plan(spare=0, kept=6, role=role))
    assert note.endswith("lacks 6 tensors of the model, with the base's values in their place: t1, t2, t3, t4, t5, ...")


def test_a_sa2va_in_one_file_of_safetensors_is_taken_and_no_option_opens_none(tmp_path):
    save_file(EXPORT_TENSORS, tmp_path / "model.safetensors")
    assert open_pretrained(tmp_path / "model.safetensors").kind is CheckpointKind.HF_EXPORT
    assert open_pretrained(None) is open_pretrained("none") is None
    torch.save(EXPORT_TENSORS, tmp_path / "sa2va.pth")
    with pytest.raises(RefusedInput, match="--pretrained sa2va.pth: its names lack the 'mllm.model.'"):
        open_pretrained(tmp_path / "sa2va.pth")
