"""Conversion end to end on the tiny fixture: what it writes, and what it leaves where it ends early."""

import errno
import hashlib
import json
import math
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from helpers.checkpoints.convert import convert, read_record
from helpers.checkpoints.convert import export as export_module
from helpers.checkpoints.convert.conversion_record import InputFile
from helpers.checkpoints.convert.export import check_changes, counterparts, hash_inputs, require_pretrained
from helpers.checkpoints.convert.key_map import LoraName, canonical_name, places
from helpers.checkpoints.convert.model_card import card_text, fingerprints_in
from helpers.checkpoints.convert.plan import ConversionPlan, Lora, Rows, SourceRole, Target, TensorOrigin
from helpers.checkpoints.convert.weights import TensorChange
from helpers.checkpoints.read import weight_file
from helpers.checkpoints.read.train_config import read_training_config
from helpers.checkpoints.read.weight_source import CheckpointKind
from helpers.core.errors import RefusedInput
from helpers.model.segmentation_pipeline import PIPELINES
from tests.support.bars import recorded
from tests.support.exports import refused, stored_name
from tests.support.listed_sources import listed, run_config, sources_of
from tests.support.tiny_sources import TinySources

LORA_MARK = ".lora_"


def test_every_target_names_its_source_and_every_source_its_fate(finished):
    tiny, folder, _ = finished
    values = read_record(folder).values
    tensors = load_file(folder / "model.safetensors")
    assert {target["name"] for target in values["targets"]} == set(tensors)
    assert set(values["sources"]["checkpoint"]) == set(tiny.content()["state_dict"])
    assert all(target["rows"] for target in values["targets"])
    assert {fate["fate"] for fate in values["sources"]["checkpoint"].values()} == {"used", "merged"}
    roles = {found["role"] for found in values["inputs"]}
    assert roles == {"checkpoint", "base", "sam2", "config", "tokenizer", "sam2_config"}
    assert all(len(found["sha256"]) == 64 for found in values["inputs"])


def test_merged_weights_are_base_plus_scaled_product(finished):
    tiny, folder, _ = finished
    state = tiny.content()["state_dict"]
    base = load_file(tiny.base / "model.safetensors")
    merged = load_file(folder / "model.safetensors")
    factors = {}
    for name in state:
        found = canonical_name(name)
        if isinstance(found, LoraName):
            factors.setdefault(found.weight, {})[found.factor] = state[name]
    alpha = read_record(folder).values["settings"]["lora_alpha"]["value"]
    assert factors
    for weight, pair in factors.items():
        scale = alpha / len(pair["A"])
        expected = base[weight].float() + scale * pair["B"].float() @ pair["A"].float()
        assert torch.allclose(merged[weight], expected, atol=1e-6), weight
        assert not torch.equal(merged[weight], base[weight].float()), weight


def test_trained_tensors_override_the_base(finished):
    tiny, folder, _ = finished
    exported = load_file(folder / "model.safetensors")
    for name, tensor in tiny.content()["state_dict"].items():
        if LORA_MARK not in name:
            (place,) = places(canonical_name(name))
            assert torch.equal(exported[place.target], tensor.float()), name


def test_the_record_holds_no_folder_of_this_machine(finished):
    _, folder, _ = finished
    assert str(folder.parent) not in (folder / "conversion.json").read_text()


def test_one_dtype_and_the_config_says_which(tmp_path, tiny):
    file = tiny.checkpoint.rename(tiny.checkpoint.with_name("iter_9_größe.pth"))
    with recorded() as seen:
        record = convert(replace(tiny, checkpoint=file).request(tmp_path / "half", dtype="bfloat16"))
    count = len(record.values["targets"])
    assert ("begun", "converting", count, "tensor", 0, 0) in seen.told and seen.ends["converting"] == count
    assert '"name": "iter_9_größe.pth"' in (tmp_path / "half/conversion.json").read_text("utf-8")
    tensors = load_file(tmp_path / "half/model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    assert json.loads((tmp_path / "half/config.json").read_text())["dtype"] == "bfloat16"


def test_shards_hold_the_same_tensors(tmp_path, finished):
    tiny, folder, record = finished
    sharded = convert(tiny.request(tmp_path / "shards", shard_bytes=200_000))
    index = json.loads((tmp_path / "shards/model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    assert sharded.values["tensors_sha256"] == record.values["tensors_sha256"]
    whole = load_file(folder / "model.safetensors")
    for name, file in index["weight_map"].items():
        assert torch.equal(load_file(tmp_path / "shards" / file)[name], whole[name])


def test_a_finished_folder_converts_again_without_a_base(tmp_path, finished):
    _, folder, record = finished
    again = convert(TinySources(folder, None, None, None).request(tmp_path / "again", sam2_config=None))
    assert again.values["tensors_sha256"] == record.values["tensors_sha256"]


def test_changes_are_norms_against_the_base(finished):
    tiny, _, record = finished
    base = load_file(tiny.base / "model.safetensors")["mlp1.1.weight"].float()
    state = tiny.content()["state_dict"]
    trained = state[stored_name(state, "mlp1.1.weight")].float()
    change = next(
        change for change in record.values["changes"] if change["target"] == "multi_modal_projector.linear_1.weight"
    )
    assert change["base_norm"] == pytest.approx(base.norm().item(), rel=1e-5)
    assert change["change_norm"] == pytest.approx((trained - base).norm().item(), rel=1e-5)


def test_the_same_checkpoint_may_be_converted_twice(tmp_path, tiny):
    first = convert(tiny.request(tmp_path / "first"))
    second = convert(tiny.request(tmp_path / "second"))
    assert first.values["tensors_sha256"] == second.values["tensors_sha256"]


def test_a_disk_that_becomes_full_leaves_nothing(tmp_path, tiny, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(export_module, "write_shard", full)
    refused("the disk became full", tiny, tmp_path / "out")


def test_an_interrupt_leaves_nothing(tmp_path, tiny, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(export_module, "write_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(tiny.request(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == [tmp_path / "sources"]


def test_an_unreadable_neighbour_does_not_stop_a_conversion(tmp_path, tiny, caplog):
    for name in ("broken", ".unfinished"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "conversion.json").write_text("[]")
    convert(tiny.request(tmp_path / "out"))
    (said,) = [one for one in caplog.messages if "not compared" in one]
    assert said.startswith(f"not compared with an earlier conversion: {tmp_path / 'broken/conversion.json'}")


def test_folders_made_for_a_refused_output_are_removed(tmp_path, tiny):
    tiny.edit_sam2(lambda state: state.pop("no_mem_embed"))
    with pytest.raises(RefusedInput):
        convert(tiny.request(tmp_path / "deep/er/out"))
    assert not (tmp_path / "deep").exists()


def test_a_base_that_goes_away_during_the_conversion_leaves_nothing(tmp_path, tiny, monkeypatch):
    write, written = export_module.write_shard, []

    def gone(*arguments):
        if written:
            shutil.rmtree(tiny.base)
            (tmp_path / "sources" / tiny.sam2.name).unlink()
        written.append(arguments[0])
        return write(*arguments)

    monkeypatch.setattr(export_module, "write_shard", gone)
    monkeypatch.setattr(weight_file, "MAPPED_WINDOW_BYTES", 100_000)
    refused(
        "changed while it was being read. Run again when it is complete", tiny, tmp_path / "out", shard_bytes=200_000
    )
    assert len(written) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["sources"]


def test_a_base_whose_disk_fails_is_told_with_the_file(tmp_path, tiny, monkeypatch):
    real = Path.open

    def opened(path, *arguments, **options):
        if path == tiny.base / "model.safetensors":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", opened)
    refused("model.safetensors .*Input/output error", tiny, tmp_path / "out")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot be asked beforehand")
def test_a_base_that_is_cut_during_the_conversion_is_told(tmp_path, tiny, monkeypatch):
    plan = export_module.hash_inputs

    def cut(sources):
        found = plan(sources)
        sources.opened[SourceRole.BASE].read("language_model.lm_head.weight")  # so that it is mapped
        os.truncate(tiny.base / "model.safetensors", 5000)
        return found

    monkeypatch.setattr(export_module, "hash_inputs", cut)
    refused("model.safetensors cannot be read any more", tiny, tmp_path / "out")


def changed(**norms):
    return {name: TensorChange(1.0, norm) for name, norm in norms.items()}


def planned(*merged, others=()):
    rows = (Rows(SourceRole.BASE, "w", 0, 1),)
    targets = [Target(name, (1,), TensorOrigin.MERGED, rows, Lora("a", "b", ((0, 1),), 1.0), rows) for name in merged]
    targets += [Target(name, (1,), TensorOrigin.CHECKPOINT, rows, None, rows) for name in others]
    return ConversionPlan((*targets, Target("plain", (1,), TensorOrigin.BASE, rows)), {})


@pytest.mark.parametrize(
    ("plan", "changes", "said"),
    [
        (planned("a", "b"), changed(a=0.0, b=2.0), None),
        (planned("a", "b"), changed(a=0.0, b=0.0), "all 2 LoRA changes are zero"),
        (
            planned("a", others="c"),
            changed(a=1.0, c=0.0),
            "already holds this fine-tune: the trained tensors that replace one of the base .1.",
        ),
        (planned("a", others="cd"), changed(a=1.0, c=0.0, d=1.0), None),
        (planned("a", others=["sam2.c"]), {"a": TensorChange(1, 1), "sam2.c": TensorChange(1, 0)}, None),
        (planned(others="cd"), changed(c=0.0, d=0.0), "no trained tensor differs from it .2 compared"),
        (planned(others="cd"), changed(c=0.0, d=1.0), None),
        (planned(), {}, None),
    ],
)
def test_an_export_that_equals_its_base_is_refused(plan, changes, said):
    assert counterparts(plan).keys() == changes.keys()
    if said is None:
        check_changes(plan, changes)
        return
    with pytest.raises(RefusedInput, match=said):
        check_changes(plan, changes)


def test_outputs_are_in_the_record_with_hash_and_size(finished):
    _, folder, record = finished
    outputs = record.values["outputs"]
    assert set(outputs) == {path.name for path in folder.iterdir()} - {"conversion.json", "README.md"}
    for name, found in outputs.items():
        content = (folder / name).read_bytes()
        assert found == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert record.values["total_bytes"] == sum(4 * math.prod(target["shape"]) for target in record.values["targets"])
    assert (folder / "conversion.json").read_text().startswith('{\n "schema": "vesselkit.conversion",\n')


def test_the_card_says_what_the_record_and_the_checkpoint_say(finished):
    tiny, folder, record = finished
    card = (folder / "README.md").read_text()
    meta = tiny.content()["meta"]
    assert card.startswith("---\nlibrary_name: transformers\npipeline_tag: image-segmentation\ntags:\n- sa2va\n")
    assert fingerprints_in(card) == {record.values["tensors_sha256"]}
    assert f"| trained iterations | {meta['iter']} |" in card and "| planned epochs | not told |" in card
    assert "license" not in card.partition("# model")[0] and "base_model" not in card
    assert str(folder.parent) not in card and "No scores stand here" in card


@pytest.mark.parametrize(
    "base, named", [("OpenGVLab/InternVL3-8B", True), ("pretrained/InternVL3-8B", False), ("/data/OpenGVLab/x", False)]
)
def test_a_base_is_named_for_hubs_only_by_its_publisher(finished, base, named):
    text = f"path = {base!r}\nmodel = dict(mllm=dict(model_path=path))\n"
    config = read_training_config(text, "c.py")
    assert config.base_path == base
    card = card_text("model <x>", finished[2].values, {"family": "internvl"}, None, config)
    assert "# model &lt;x>\n" in card and "[SEG] &lt;p>" in card
    assert (f"base_model: {base}\n" in card) is named and (base in card) is named


def test_the_config_names_the_code_beside_it(finished):
    _, folder, _ = finished
    config = json.loads((folder / "config.json").read_text())
    model = "modeling_sa2va.Sa2VAModel"
    assert config["auto_map"] == {
        "AutoConfig": "configuration_sa2va.Sa2VAConfig",
        "AutoModel": model,
        "AutoModelForCausalLM": model,
    }
    assert config["custom_pipelines"] == PIPELINES and (folder / "modeling_sa2va.py").is_file()


def test_files_that_decided_an_export_are_listed_in_order_by_what_they_are(tmp_path):
    names = ["adapter_config.json", "adapter_model.safetensors", "config.json", "tokenizer.json", "train.py", "w.bin"]
    for name in names:
        (tmp_path / name).write_text(name)
    adapter = listed(CheckpointKind.PEFT_ADAPTER, ["a"], tmp_path, adapter={}, files=(tmp_path / names[1],))
    base = listed(CheckpointKind.HF_EXPORT, ["b"], tmp_path, files=(tmp_path / "w.bin",))
    roles = {SourceRole.CHECKPOINT: adapter, SourceRole.BASE: base}
    found = hash_inputs(sources_of(roles, text_files={"train_config": tmp_path / "train.py"}))
    assert [(one.role, one.name) for one in found] == [
        ("checkpoint", "adapter_model.safetensors"),
        ("base", "w.bin"),
        ("config", "config.json"),
        ("adapter_config", "adapter_config.json"),
        ("tokenizer", "tokenizer.json"),
        ("train_config", "train.py"),
    ]
    assert found[1] == InputFile("base", "w.bin", hashlib.sha256(b"w.bin").hexdigest(), 5)
    adapter.adapter = None
    assert "adapter_config" not in [one.role for one in hash_inputs(sources_of(roles, text_files={}))]


@pytest.mark.parametrize(
    ("role", "settings", "named", "stops"),
    [
        (SourceRole.BASE, {}, "Sa2VA.pth", True),
        (SourceRole.CHECKPOINT, {}, "Sa2VA.pth", False),
        (SourceRole.BASE, {"pretrained": None}, "Sa2VA.pth", False),
        (SourceRole.BASE, {}, None, False),
    ],
)
def test_a_sa2va_that_was_not_given_is_missed_where_a_tensor_would_come_from_it(role, settings, named, stops):
    opened = {SourceRole.CHECKPOINT: listed(CheckpointKind.MMENGINE, ["a"], "iter_9.pth")}
    opened[SourceRole.BASE] = listed(CheckpointKind.INTERNVL_BASE, ["b"], "models/InternVL")
    sources = sources_of(opened, run=run_config(pretrained_pth=named), settings=settings)
    plan = ConversionPlan((Target("t", (1,), TensorOrigin(role.value), (Rows(role, "w", 0, 1),)),), {})
    if not stops:
        require_pretrained(sources, plan)
        return
    with pytest.raises(RefusedInput, match="names pretrained_pth='Sa2VA.pth'"):
        require_pretrained(sources, plan)
