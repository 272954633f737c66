"""Conversion end to end on the tiny fixture: what it writes, and every condition that stops it."""

import errno
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from helpers.conversion import convert, read_record, verify
from helpers.conversion import export as export_module
from helpers.conversion.key_map import LoraName, canonical_name, places
from helpers.conversion.plan import EMBEDDINGS, LM_HEAD
from helpers.errors import RefusedInput, UsageProblem
from tests.tiny_sources import TinySources, copy_sources

LORA_MARK = ".lora_"


@pytest.fixture
def tiny(tmp_path) -> TinySources:
    folder = tmp_path / "sources"
    folder.mkdir()
    return copy_sources(folder)


def stored_name(names, canonical: str) -> str:
    """The name under which a layout stores a canonical tensor."""
    return next(name for name in names if canonical_name(name) == canonical)


def refused(message: str, tiny: TinySources, output: Path, error=RefusedInput, **changes) -> None:
    """The conversion stops with this message and leaves nothing behind."""
    with pytest.raises(error, match=message):
        convert(tiny.request(output, **changes))
    assert not output.exists()
    assert not list(output.parent.glob(".partial-*"))


# --- what it writes -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished conversion of untouched sources."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "sources").mkdir()
    tiny = copy_sources(folder / "sources")
    record = convert(tiny.request(folder / "model"))
    return tiny, folder / "model", record


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
    convert(tiny.request(tmp_path / "half", dtype="bfloat16"))
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


# --- verify ---------------------------------------------------------------------------------------------------------


def test_verify_accepts_a_finished_folder(finished):
    tiny, folder, record = finished
    report = verify(folder, tiny.checkpoint, tiny.base, tiny.sam2)
    assert report.ok, report.to_text()
    assert f"{len(record.values['targets'])} tensors, value by value" in report.to_text()


def test_verify_finds_one_changed_value(tmp_path, finished):
    tiny, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 0x40
    (copy / "model.safetensors").write_bytes(data)
    text = verify(copy, tiny.checkpoint, tiny.base, tiny.sam2).to_text()
    assert "file changed since the conversion: model.safetensors" in text
    assert "tensor differs from its sources: " in text


def test_verify_finds_another_checkpoint(finished, tiny):
    _, folder, _ = finished
    tiny.edit_checkpoint(lambda content: content["state_dict"]["text_hidden_fcs.0.bias"].add_(1))
    report = verify(folder, tiny.checkpoint, tiny.base, tiny.sam2)
    assert "the checkpoint given" in report.to_text()
    assert "tensor differs from its sources: seg_projection.linear_1.bias" in report.to_text()


def test_verify_finds_a_changed_code_file(tmp_path, finished):
    tiny, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    with (copy / "modeling_sa2va.py").open("a") as file:
        file.write("# changed\n")
    report = verify(copy, tiny.checkpoint, tiny.base, tiny.sam2)
    assert all(finding.endswith("modeling_sa2va.py") for finding in report.findings)
    assert len(report.findings) == 2


# --- what stops it --------------------------------------------------------------------------------------------------


def test_stops_on_a_target_without_a_source(tmp_path, tiny):
    tiny.edit_sam2(lambda state: state.pop("no_mem_embed"))
    refused("target tensor without a source: sam2.no_memory_embedding", tiny, tmp_path / "out")


def test_stops_on_a_trained_tensor_left_over(tmp_path, tiny):
    tiny.edit_checkpoint(lambda content: content["state_dict"].update({"mllm.model.adapter.weight": torch.ones(2)}))
    refused(r"checkpoint tensor with no place in the model: mllm\.model\.adapter\.weight", tiny, tmp_path / "out")


def test_stops_on_a_shape_mismatch(tmp_path, tiny):
    def cut(content):
        content["state_dict"]["text_hidden_fcs.0.bias"] = content["state_dict"]["text_hidden_fcs.0.bias"][:-1].clone()

    tiny.edit_checkpoint(cut)
    refused("shape mismatch: seg_projection.linear_1.bias", tiny, tmp_path / "out")


@pytest.mark.parametrize("factor", ["A", "B"])
def test_stops_on_half_a_lora_pair(tmp_path, tiny, factor):
    def drop(content):
        name = next(name for name in content["state_dict"] if f".lora_{factor}." in name)
        del content["state_dict"][name]

    tiny.edit_checkpoint(drop)
    refused(f"LoRA pair incomplete: .* has no lora_{factor}", tiny, tmp_path / "out")


def test_stops_where_the_tokenizer_puts_seg_elsewhere(tmp_path, tiny):
    config = tiny.base / "added_tokens.json"
    added = json.loads(config.read_text())
    grown = added | {"<extra>": max(added.values()) + 1}
    config.write_text(json.dumps(grown))
    decoder = tiny.base / "tokenizer_config.json"
    values = json.loads(decoder.read_text())
    values["added_tokens_decoder"][str(grown["<extra>"])] = {
        "content": "<extra>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
        "special": True,
    }  # fmt: skip
    decoder.write_text(json.dumps(values))
    (tiny.base / "tokenizer.json").unlink(missing_ok=True)
    seg = grown["<extra>"] + 1
    refused(rf"id of \[SEG\] differs: tokenizer {seg}, embedding {seg - 1}", tiny, tmp_path / "out")


def test_stops_where_a_folders_config_puts_seg_elsewhere(tmp_path, finished):
    _, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    config["token_ids"]["[SEG]"] += 1
    (copy / "config.json").write_text(json.dumps(config))
    sources = TinySources(copy, None, None, None)
    refused(r"id of \[SEG\] differs: tokenizer \d+, embedding \d+, config \d+", sources, tmp_path / "out",
            sam2_config=None)  # fmt: skip


def test_stops_on_a_base_of_other_sizes_and_names_both(tmp_path, tiny):
    tiny.edit_base_config(lambda config: config["llm_config"].update(hidden_size=96))
    message = rf"the base internvl_base does not fit the checkpoint {tiny.checkpoint.name} .*checkpoint \d+, base 96"
    refused(message, tiny, tmp_path / "out")


def test_stops_on_a_sam21_file(tmp_path, tiny):
    tiny.edit_sam2(lambda state: state.update(no_obj_embed_spatial=torch.zeros(1, 16)))
    refused("SAM 2.1 .*Pass the 2.0 file", tiny, tmp_path / "out")


def test_stops_where_lora_changed_nothing(tmp_path, tiny):
    def untrain(content):
        for name, tensor in content["state_dict"].items():
            if ".lora_B." in name:
                tensor.zero_()

    tiny.edit_checkpoint(untrain)
    refused("the merged model is identical to its base", tiny, tmp_path / "out")


def test_stops_where_nothing_differs_from_the_base(tmp_path, finished):
    _, folder, _ = finished
    sources = TinySources(folder, folder, None, None)
    refused("the converted model is identical to its base", sources, tmp_path / "out", sam2_config=None)


def test_stops_on_the_tensors_of_another_checkpoint_in_the_same_folder(tmp_path, tiny):
    convert(tiny.request(tmp_path / "first"))
    # The same weights under another hash: a stale copy that was only renamed or saved again.
    tiny.edit_checkpoint(lambda content: content["meta"].update(iter=99999))
    with pytest.raises(RefusedInput, match="identical to those of first, which was converted from another checkpoint"):
        convert(tiny.request(tmp_path / "second"))
    assert not (tmp_path / "second").exists()


def test_the_same_checkpoint_may_be_converted_twice(tmp_path, tiny):
    first = convert(tiny.request(tmp_path / "first"))
    second = convert(tiny.request(tmp_path / "second"))
    assert first.values["tensors_sha256"] == second.values["tensors_sha256"]


def test_stops_on_values_that_are_not_finite(tmp_path, tiny):
    tiny.edit_checkpoint(lambda content: content["state_dict"]["text_hidden_fcs.0.bias"].fill_(float("nan")))
    refused("seg_projection.linear_1.bias: rows .* not finite", tiny, tmp_path / "out")


def test_stops_on_an_output_that_exists(tmp_path, tiny):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/file").write_text("mine")
    with pytest.raises(UsageProblem, match="exists already"):
        convert(tiny.request(tmp_path / "out"))
    assert (tmp_path / "out/file").read_text() == "mine"


def test_stops_before_writing_where_the_disk_is_too_small(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(1, 1, 10))
    refused(r"the exported weights needs .* GB, 0\.0 GB are free", tiny, tmp_path / "out")


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


# --- settings -------------------------------------------------------------------------------------------------------


def without_config(content):
    content["meta"].pop("cfg")


def test_alpha_that_nobody_names_is_asked_for(tmp_path, tiny):
    tiny.edit_checkpoint(without_config)
    refused("Pass --lora-alpha", tiny, tmp_path / "out", template="qwen_chat")


def test_template_that_nobody_names_is_asked_for(tmp_path, tiny):
    tiny.edit_checkpoint(without_config)
    refused("pass --template", tiny, tmp_path / "out", error=UsageProblem, lora_alpha=8)


def test_options_override_the_config_and_the_record_says_so(tmp_path, tiny):
    plain = convert(tiny.request(tmp_path / "plain"))
    record = convert(tiny.request(tmp_path / "out", lora_alpha=3.0, template="internlm2_chat"))
    alpha, template = record.values["settings"]["lora_alpha"], record.values["settings"]["template"]
    assert (alpha["value"], alpha["source"]) == (3.0, "--lora-alpha")
    assert alpha["overrides"][0]["value"] == plain.values["settings"]["lora_alpha"]["value"]
    assert (template["value"], template["overrides"][0]["value"]) == ("internlm2_chat", "qwen_chat")
    assert record.values["tensors_sha256"] != plain.values["tensors_sha256"]
    assert json.loads((tmp_path / "out/config.json").read_text())["stop_words"] == ["<|im_end|>"]


def test_a_config_file_overrides_the_text_in_the_checkpoint(tmp_path, tiny):
    config = tmp_path / "train.py"
    config.write_text(tiny.content()["meta"]["cfg"].replace("lora_alpha=8", "lora_alpha=5"))
    record = convert(tiny.request(tmp_path / "out", train_config=config))
    alpha = record.values["settings"]["lora_alpha"]
    assert alpha["value"] == 5
    assert [other["value"] for other in alpha["overrides"]] == [8]


def test_a_template_that_two_stored_sources_contradict_is_refused(tmp_path, tiny, finished):
    _, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    config["template"] = "llama3_chat"
    (copy / "config.json").write_text(json.dumps(config))
    refused(r"template: the sources disagree .*Decide with --template", tiny, tmp_path / "out", base=copy)


def test_config_text_with_a_payload_is_not_run(tmp_path, tiny):
    trap = tmp_path / "trap"

    def plant(content):
        content["meta"]["cfg"] += f"\nx = __import__('os').system('touch {trap}')\n"

    tiny.edit_checkpoint(plant)
    convert(tiny.request(tmp_path / "out"))
    assert not trap.exists()


def test_config_file_with_a_payload_is_not_run(tmp_path, tiny):
    trap, config = tmp_path / "trap", tmp_path / "train.py"
    payload = f"__import__('os').system('touch {trap}')"
    config.write_text(f"{payload}\nlora_alpha = {payload}\n" + tiny.content()["meta"]["cfg"])
    convert(tiny.request(tmp_path / "out", train_config=config))
    assert not trap.exists()


def test_base_named_in_the_config_is_used_where_it_exists(tmp_path, tiny):
    named = tiny.checkpoint.parent / "pretrained/internvl_base"
    named.parent.mkdir()
    tiny.base.rename(named)
    record = convert(tiny.request(tmp_path / "out", base=None))
    assert record.values["settings"]["base"]["source"].startswith("the config text in")


def test_base_that_is_not_here_is_asked_for(tmp_path, tiny):
    refused("pass --base with that InternVL folder", tiny, tmp_path / "out", error=UsageProblem, base=None)


def test_sam2_that_is_not_given_is_asked_for(tmp_path, tiny):
    refused("pass --sam2 with the SAM 2.0 file", tiny, tmp_path / "out", error=UsageProblem, sam2=None,
            sam2_config=None)  # fmt: skip


def test_sam2_of_unknown_size_asks_for_its_sizes(tmp_path, tiny):
    refused("pass --sam2-config with a JSON file", tiny, tmp_path / "out", error=UsageProblem, sam2_config=None)


def test_wrong_preset_is_a_shape_mismatch(tmp_path, tiny):
    refused("shape mismatch|target tensor without a source", tiny, tmp_path / "out", sam2_config="hiera_t")


# --- tied heads -----------------------------------------------------------------------------------------------------


def tie_base(tiny: TinySources) -> None:
    tiny.edit_base_config(lambda config: config["llm_config"].update(tie_word_embeddings=True))
    tiny.edit_base(lambda tensors: tensors.pop(LM_HEAD))


def test_trained_head_that_differs_is_untied_and_kept(tmp_path, tiny):
    tie_base(tiny)
    record = convert(tiny.request(tmp_path / "out"))
    tensors = load_file(tmp_path / "out/model.safetensors")
    assert not torch.equal(tensors[LM_HEAD], tensors[EMBEDDINGS])
    assert any("untied and keeps both" in note for note in record.values["notes"])
    assert json.loads((tmp_path / "out/config.json").read_text())["tie_word_embeddings"] is False


def equal_head(content):
    state = content["state_dict"]
    head, embeddings = stored_name(state, LM_HEAD), stored_name(state, EMBEDDINGS)
    state[head] = state[embeddings].clone()


def test_equal_head_stays_tied(tmp_path, tiny):
    tie_base(tiny)
    tiny.edit_checkpoint(equal_head)
    record = convert(tiny.request(tmp_path / "out"))
    assert LM_HEAD not in load_file(tmp_path / "out/model.safetensors")
    assert any("stays tied" in note for note in record.values["notes"])
    fates = record.values["sources"]["checkpoint"]
    assert fates[stored_name(fates, LM_HEAD)]["fate"] == "tied"
    report = verify(tmp_path / "out", tiny.checkpoint, tiny.base, tiny.sam2)
    assert report.ok, report.to_text()


def test_lora_run_without_the_head_of_a_tied_base_is_refused(tmp_path, tiny):
    tie_base(tiny)
    tiny.edit_checkpoint(lambda content: content["state_dict"].pop(stored_name(content["state_dict"], LM_HEAD)))
    refused("no lm_head; the head used in training cannot be restored", tiny, tmp_path / "out")


# --- what would pass for an export --------------------------------------------------------------------------------


def test_stops_where_the_base_already_holds_this_fine_tune(tmp_path, finished):
    tiny, folder, _ = finished
    refused("the base already holds this fine-tune", tiny, tmp_path / "out", base=folder)


def drop(names):
    def change(content):
        state = content["state_dict"]
        for name in [name for name in state if names(name)]:
            del state[name]

    return change


@pytest.mark.parametrize(
    "names",
    [
        lambda name: ".mlp1.3." in name,
        lambda name: name.startswith("text_hidden_fcs.2."),
        lambda name: "sam_mask_decoder.iou_token" in name,
        lambda name: ".layers.0." in name and ".lora_" in name,
    ],
    ids=["projector", "seg projection", "mask decoder", "LoRA of a layer"],
)
def test_stops_where_a_training_checkpoint_lacks_what_training_saves(tmp_path, tiny, names):
    tiny.edit_checkpoint(drop(names))
    refused("lacks .* tensors that training saves", tiny, tmp_path / "out")


def test_stops_where_the_embedding_of_seg_is_nowhere(tmp_path, tiny):
    tiny.edit_checkpoint(drop(lambda name: "embed_tokens" in name))
    refused(r"holds no embed_tokens, and the base .* the embedding of \[SEG\] is nowhere", tiny, tmp_path / "out")


@pytest.mark.parametrize("setting", ["use_dora=True", "init_lora_weights='pissa'", "alpha_pattern=dict(q_proj=64)"])
def test_stops_on_lora_variants_with_another_merge(tmp_path, tiny, setting):
    def plant(content):
        content["meta"]["cfg"] = content["meta"]["cfg"].replace("lora_alpha=8", f"lora_alpha=8, {setting}")

    tiny.edit_checkpoint(plant)
    refused("cannot be merged onto the plain base", tiny, tmp_path / "out")


def test_rank_stabilised_lora_is_a_recorded_setting(tmp_path, tiny):
    def plant(content):
        content["meta"]["cfg"] = content["meta"]["cfg"].replace("lora_alpha=8", "lora_alpha=8, use_rslora=True")

    tiny.edit_checkpoint(plant)
    record = convert(tiny.request(tmp_path / "out"))
    assert record.values["settings"]["rank_stabilised"]["value"] is True
    assert {target["lora"]["scale"] for target in record.values["targets"] if "lora" in target} == {8 / 4**0.5}


def test_stops_on_adapters_beside_a_folder(tmp_path, finished):
    _, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shutil.copy(copy / "model.safetensors", copy / "adapter_model.safetensors")
    refused("holds adapter_model.safetensors beside its weights", TinySources(copy, None, None, None), tmp_path / "out",
            sam2_config=None)  # fmt: skip


def test_a_file_of_another_kind_for_sam2_is_named(tmp_path, tiny):
    refused("--sam2 iter_.*: expected a SAM 2.0 file", tiny, tmp_path / "out", sam2=tiny.checkpoint)


def test_a_config_file_that_hides_alpha_asks_for_the_option(tmp_path, tiny):
    config = tmp_path / "train.py"
    config.write_text(tiny.content()["meta"]["cfg"].replace("lora_alpha=8", "lora_alpha=4 * rank_of()"))
    refused("--train-config .*: lora_alpha: .* pass --lora-alpha", tiny, tmp_path / "out", error=UsageProblem,
            train_config=config)  # fmt: skip
    assert convert(tiny.request(tmp_path / "out", train_config=config, lora_alpha=8.0)).values["targets"]


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["llm_config"].pop("hidden_size"),
        lambda config: config.update(llm_config=None),
        lambda config: config["llm_config"].update(hidden_act="invented"),
        lambda config: config["vision_config"].pop("num_hidden_layers"),
    ],
)
def test_a_damaged_base_config_is_refused_by_name(tmp_path, tiny, change):
    tiny.edit_base_config(change)
    refused("config.json", tiny, tmp_path / "out")


@pytest.mark.parametrize("name", ["vocab.json", "tokenizer_config.json"])
def test_a_damaged_tokenizer_is_refused_by_name(tmp_path, tiny, name):
    (tiny.base / "tokenizer.json").unlink(missing_ok=True)
    (tiny.base / name).write_text("{")
    refused(f"{name} cannot be read as JSON", tiny, tmp_path / "out")


def test_an_unreadable_neighbour_does_not_stop_a_conversion(tmp_path, tiny, caplog):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/conversion.json").write_text("[]")
    convert(tiny.request(tmp_path / "out"))
    assert "not compared with an earlier conversion" in caplog.text


def test_folders_made_for_a_refused_output_are_removed(tmp_path, tiny):
    tiny.edit_sam2(lambda state: state.pop("no_mem_embed"))
    with pytest.raises(RefusedInput):
        convert(tiny.request(tmp_path / "deep/er/out"))
    assert not (tmp_path / "deep").exists()


def test_the_name_of_another_base_is_recorded(finished):
    _, _, record = finished
    assert record.values["settings"]["base"]["value"] == "internvl_base"


@pytest.mark.parametrize(
    ("edit", "finding"),
    [
        (lambda values: values["targets"][0].update(origin="base", sha256="0"), "1 targets differ"),
        (lambda values: values.update(tensors_sha256="0"), "tensors_sha256 is not that of the tensors"),
        (lambda values: values["sources"]["sam2"].update(invented={"fate": "used", "targets": []}), "invented"),
    ],
)
def test_verify_finds_a_false_record(tmp_path, finished, edit, finding):
    tiny, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    values = json.loads((copy / "conversion.json").read_text())
    edit(values)
    (copy / "conversion.json").write_text(json.dumps(values))
    assert finding in verify(copy, tiny.checkpoint, tiny.base, tiny.sam2).to_text()


def test_verify_finds_another_config_of_the_base(finished, tiny):
    _, folder, _ = finished
    tiny.edit_base_config(lambda config: config["llm_config"].update(rope_theta=500.0))
    text = verify(folder, tiny.checkpoint, tiny.base, tiny.sam2).to_text()
    assert "the config given" in text
    assert "file differs from what the sources and this version give: config.json" in text
