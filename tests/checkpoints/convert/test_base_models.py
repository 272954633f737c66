"""A fine-tune of a published Sa2VA: its LoRA belongs on that Sa2VA's weights, or the conversion stops."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from helpers.checkpoints.convert import base_models, convert
from helpers.checkpoints.convert.base_models import base_setting, config_folder, settle_base
from helpers.checkpoints.convert.conversion_settings import Candidate, Setting, TrainingRunConfig
from helpers.checkpoints.read.weight_source import CheckpointKind
from helpers.checkpoints.verify import verify
from helpers.core.errors import RefusedInput, UsageProblem
from tests.support.exports import refused
from tests.support.listed_sources import listed, run_config
from tests.support.published_sa2va import (
    NAME,
    base_state,
    edit_config,
    fine_tuned,
    name_pretrained,
    publish,
    require_equal,
    write_file,
)

Q_PROJ = "language_model.model.layers.0.self_attn.q_proj.weight"

NAMED = run_config(base_path="pretrained/InternVL")


@pytest.fixture
def published(tmp_path, tiny):
    return publish(tiny, tmp_path)


def origins(record):
    counts = {}
    for target in record.values["targets"]:
        key = (target["origin"], target["rows"][0]["source"])
        counts[key] = counts.get(key, 0) + 1
    return counts


def test_the_internvl_base_alone_stops_and_names_both_ways(tmp_path, tiny, published):
    refused(
        f"names pretrained_pth='pretrained/{NAME}'.*Pass its folder as --base, or --base internvl_base with "
        "--pretrained FILE_OR_DIR.*--pretrained none",
        tiny,
        tmp_path / "out",
    )


def test_where_the_base_is_not_here_either_both_are_asked_for_at_once(tmp_path, tiny, published):
    refused("names pretrained_pth=.* --base the base's folder with --pretrained", tiny, tmp_path / "out", base=None)


@pytest.mark.parametrize("form", ["file", "wrapped", "folder", "own folder"])
def test_lora_is_merged_onto_the_pretrained_weights(tmp_path, tiny, published, form):
    given = {"file": published.file, "folder": published.folder}.get(form, tmp_path / "given")
    if form == "wrapped":
        write_file(published.tensors, given, wrapped=True)
    elif form == "own folder":
        convert(tiny.request(given, checkpoint=published.folder, base=None, sam2=None))
    record = convert(tiny.request(tmp_path / "out", pretrained=given))
    require_equal(tmp_path / "out", fine_tuned(tiny, published.tensors))
    assert set(origins(record)) == {
        ("merged", "pretrained"),
        ("checkpoint", "checkpoint"),
        ("pretrained", "pretrained"),
    }
    assert record.values["settings"]["pretrained"]["value"] == given.name
    assert {entry["role"] for entry in record.values["inputs"]} >= {"pretrained", "base", "sam2", "checkpoint"}
    fates = {entry["fate"] for entry in record.values["sources"]["base"].values()}
    assert fates == {"overridden"} == {entry["fate"] for entry in record.values["sources"]["sam2"].values()}
    assert "of the pretrained" in record.summary()


@pytest.mark.parametrize("form", ["folder", "own folder"])
def test_a_sa2va_as_the_base_gives_the_same(tmp_path, tiny, published, form):
    base = published.folder
    if form == "own folder":
        base = tmp_path / "native"
        convert(tiny.request(base, checkpoint=published.folder, base=None, sam2=None))
    for sam2 in (None, tiny.sam2):  # what it holds of SAM2 counts, with or without the file
        record = convert(tiny.request(tmp_path / f"out {sam2 is None}", base=base, sam2=sam2))
        require_equal(record.folder, fine_tuned(tiny, published.tensors))
    assert record.values["settings"]["pretrained"] == {
        "value": base.name,
        "source": "--base",
        "overrides": [{"value": f"pretrained/{NAME}", "source": f"the config text in {tiny.checkpoint.name}"}],
    }


def test_half_precision_is_read_as_it_is(tmp_path, tiny, published):
    half = {name: tensor.half() for name, tensor in published.tensors.items()}
    write_file(half, tmp_path / "half.pth")
    convert(tiny.request(tmp_path / "out", pretrained=tmp_path / "half.pth"))
    require_equal(tmp_path / "out", fine_tuned(tiny, {name: tensor.float() for name, tensor in half.items()}))


def test_names_that_it_lacks_keep_the_bases_values_and_names_that_nothing_takes_are_counted(tmp_path, tiny, published):
    kept = {name: tensor for name, tensor in published.tensors.items() if ".layers.1." not in name}
    write_file(kept | {"language_model.model.layers.7.mlp.up_proj.weight": torch.ones(3)}, tmp_path / "part.pth")
    record = convert(tiny.request(tmp_path / "out", pretrained=tmp_path / "part.pth"))
    require_equal(tmp_path / "out", fine_tuned(tiny, base_state(tiny) | kept))
    notes = "\n".join(record.values["notes"])
    assert "part.pth: 1 of its" in notes and "layers.7.mlp.up_proj" in notes
    assert "part.pth lacks" in notes and "with the base's values" in notes
    fates = [entry["fate"] for entry in record.values["sources"]["pretrained"].values()]
    assert fates.count("not_taken") == 1 and ("merged", "base") in origins(record)


@pytest.mark.parametrize("overridden", [False, True])
def test_a_tensor_of_another_shape_stops_with_both_shapes(tmp_path, tiny, published, overridden):
    name = "mlp1.3.bias" if overridden else Q_PROJ
    cut = published.tensors[name][1:].clone()
    write_file({**published.tensors, name: cut}, published.file)
    shapes = rf"1 tensor of another shape .*{name} \[63.*in the model \[64.*--pretrained none"
    refused(
        f"--pretrained {NAME} does not fit --base internvl_base: {shapes}",
        tiny,
        tmp_path / "out",
        pretrained=published.file,
    )


def test_a_file_of_another_size_is_one_message(tmp_path, tiny, published):
    wide = {name: torch.zeros([2 * size for size in tensor.shape]) for name, tensor in published.tensors.items()}
    write_file(wide, published.file)
    with pytest.raises(RefusedInput) as raised:
        convert(tiny.request(tmp_path / "out", pretrained=published.file))
    assert str(raised.value).count("\n") == 0 and len(str(raised.value)) < 1500
    assert f"{len(wide)} tensors of another shape than the model's" in str(raised.value)


def test_none_states_that_nothing_was_loaded(tmp_path, tiny):
    plain = convert(tiny.request(tmp_path / "plain"))
    name_pretrained(tiny, f"'{NAME}'")
    record = convert(tiny.request(tmp_path / "other" / "out", pretrained="none"))
    assert record.values["tensors_sha256"] == plain.values["tensors_sha256"]
    setting = record.values["settings"]["pretrained"]
    assert (setting["value"], setting["source"]) == ("none", "--pretrained")
    assert setting["overrides"][0]["value"] == NAME
    assert "pretrained" not in plain.values["settings"]


@pytest.mark.parametrize(
    "change",
    [
lambda text: "start = 'a/b.pth'\n" + text.replace("pretrained_pth=None", "pretrained_pth=start"),
        lambda text: text.replace("pretrained_pth=None", "pretrained_pth='a/' + 'b.pth'"),
        lambda text: text.replace("mllm=dict(", "mllm=dict(\n        pretrained_pth='b.pth',"),
        lambda text: text.replace("    pretrained_pth=None,\n", "") + "pretrained_pth = 'b.pth'\n",
        lambda text: text.replace("pretrained_pth=None", "**dict(pretrained_pth='b.pth')"),
        lambda text: text.replace("pretrained_pth=None", "pretrained_pth=os.getenv('START')"),
        lambda text: text.replace("pretrained_pth=None", "pretrained_pth=f'{path}.pth'"),
        lambda text: text.replace("pretrained_pth=None", "pretrained_pth=None if seed else 'b.pth'"),
        lambda text: text.replace("pretrained_pth=None", "pretrained_pth=3"),
        lambda text: text + "model['pretrained_pth'] = 'b.pth'\n",
        lambda text: text + "if seed == 0:\n    model.update(pretrained_pth='b.pth')\n",
    ],
    ids=["variable", "joined", "nested", "beside", "stars", "getenv", "f-string", "choice", "number", "item", "if"],
)  # fmt: skip
def test_however_the_config_names_it_the_internvl_base_alone_stops(tmp_path, tiny, change):
    edit_config(tiny, change)
    refused("pretrained_pth|llm_lora|special_tokens", tiny, tmp_path / "out")


def test_a_config_that_says_none_outright_is_the_plain_route(tmp_path, tiny):
    edit_config(tiny, lambda text: "pretrained_pth = 'unused.pth'\n" + text)
    assert set(origins(convert(tiny.request(tmp_path / "out")))) == {
        ("merged", "base"), ("checkpoint", "checkpoint"), ("base", "base"), ("sam2", "sam2")
    }  # fmt: skip


def test_a_train_config_decides_in_place_of_the_stored_text(tmp_path, tiny, published):
    config = tmp_path / "train.py"
    config.write_text(tiny.content()["meta"]["cfg"].replace(f"'pretrained/{NAME}'", "None"))
    record = convert(tiny.request(tmp_path / "out", train_config=config))
    require_equal(tmp_path / "out", fine_tuned(tiny, base_state(tiny)))
    assert "pretrained" not in record.values["settings"]


def test_a_sa2va_as_the_base_of_a_run_that_loaded_none_stops(tmp_path, tiny, published):
    edit_config(tiny, lambda text: text.replace(f"pretrained_pth='pretrained/{NAME}'", "pretrained_pth=None"))
    refused("Sa2VA-tiny is a Sa2VA, and .* names no pretrained_pth", tiny, tmp_path / "out", base=published.folder)


def test_a_checkpoint_that_is_whole_needs_no_other(tmp_path, tiny, published):
    state = fine_tuned(tiny, published.tensors)

    def make_whole(content):
        write_file(state, tmp_path / "flat.pth")
        content["state_dict"] = torch.load(tmp_path / "flat.pth")

    tiny.edit_checkpoint(make_whole)
    convert(tiny.request(tmp_path / "out"))
    require_equal(tmp_path / "out", state)


@pytest.mark.parametrize(
    "part", ["mlp1.1.bias", "vision_model.encoder.layers.0.ls1", "language_model.model.norm.weight"]
)
def test_a_checkpoint_that_is_nearly_whole_stops(tmp_path, tiny, published, part):
    state = fine_tuned(tiny, published.tensors)
    del state[part]
    file = tmp_path / "flat.pth"
    write_file(state, file)
    config = tmp_path / "train.py"
    config.write_text(tiny.content()["meta"]["cfg"])
    refused("names pretrained_pth", tiny, tmp_path / "out", checkpoint=file, train_config=config)


def without_embeddings(content):
    state = content["state_dict"]
    for name in [name for name in state if "modules_to_save" in name]:
        del state[name]
    content["meta"]["cfg"] = content["meta"]["cfg"].replace("modules_to_save=['embed_tokens', 'lm_head'],", "")


def test_a_small_checkpoint_takes_its_embeddings_from_the_pretrained(tmp_path, tiny, published):
    tiny.edit_checkpoint(without_embeddings)
    refused("names pretrained_pth", tiny, tmp_path / "out")
    refused(f"loaded pretrained/{NAME}, which may hold it", tiny, tmp_path / "out", pretrained="none")
    convert(tiny.request(tmp_path / "out", pretrained=published.file))
    require_equal(tmp_path / "out", fine_tuned(tiny, published.tensors))


@pytest.mark.parametrize("option", ["pretrained", "base"])
def test_embeddings_that_the_run_saved_are_never_taken_from_beneath(tmp_path, tiny, published, option):
    def drop(content):
        cfg = content["meta"]["cfg"]
        without_embeddings(content)
        content["meta"]["cfg"] = cfg

    tiny.edit_checkpoint(drop)
    refused("lacks 2 tensors that training saves", tiny, tmp_path / "out", **{option: published.folder})


def test_lora_in_the_pretrained_file_stops(tmp_path, tiny, published):
    earlier = tmp_path / "iter_9.pth"
    shutil.copy(tiny.checkpoint, earlier)
    refused("is a checkpoint of LoRA.*Convert it first.*--pretrained none", tiny, tmp_path / "out", pretrained=earlier)


def test_what_is_no_sa2va_is_named(tmp_path, tiny, published):
    for given, kind in ((tiny.base, "internvl_base"), (tiny.sam2, "sam2")):
        refused(f"expected a Sa2VA.*kind '{kind}'", tiny, tmp_path / "out", pretrained=given)
    torch.save(dict(published.tensors), published.file)
    refused("its names lack the 'mllm.model.'", tiny, tmp_path / "out", pretrained=published.file)


def test_options_that_contradict_each_other_are_told(tmp_path, tiny, published):
    refused("says that training loaded no Sa2VA, and --base Sa2VA-tiny is one", tiny, tmp_path / "out", UsageProblem,
            base=published.folder, pretrained="none")  # fmt: skip
    refused("got --base Sa2VA-tiny, a Sa2VA itself", tiny, tmp_path / "out", UsageProblem,
            base=published.folder, pretrained=published.file)  # fmt: skip


def test_a_base_that_holds_the_fine_tune_is_still_refused(tmp_path, tiny, published):
    convert(tiny.request(tmp_path / "first", pretrained=published.file))
    for option in ("base", "pretrained"):
        refused("the base already holds this fine-tune", tiny, tmp_path / "out", **{option: tmp_path / "first"})


def test_sam21_in_the_pretrained_file_is_one_message(tmp_path, tiny, published):
    extra = {"grounding_encoder.sam2_model.no_obj_embed_spatial": torch.zeros(1, 16)}
    write_file({**published.tensors, **extra}, published.file)
    refused(r"\Apretrained: this SAM2 file is SAM 2.1", tiny, tmp_path / "out", pretrained=published.file)


def test_verification_asks_for_it_and_finds_another(tmp_path, tiny, published):
    convert(tiny.request(tmp_path / "out", pretrained=published.file))
    given = (tmp_path / "out", tiny.checkpoint, tiny.base, tiny.sam2)
    assert verify(*given, pretrained=published.file).ok
    with pytest.raises(RefusedInput, match="names pretrained_pth"):
        verify(*given)
    write_file({**published.tensors, Q_PROJ: published.tensors[Q_PROJ] + 1}, tmp_path / "other.pth")
    text = verify(*given, pretrained=tmp_path / "other.pth").to_text()
    assert "the pretrained given (other.pth) is not the one of the conversion" in text
    assert f"tensor differs from its sources: {Q_PROJ}" in text


def test_verification_knows_that_nothing_was_loaded(tmp_path, tiny):
    name_pretrained(tiny, f"'{NAME}'")
    convert(tiny.request(tmp_path / "out", pretrained="none"))
    assert verify(tmp_path / "out", tiny.checkpoint, tiny.base, tiny.sam2).ok


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A checkpoint in a work folder, and no project beside it."""
    monkeypatch.setattr(base_models, "project_root", lambda: tmp_path / "project")
    path = tmp_path / "study/work_dirs/run/iter_9.pth"
    path.parent.mkdir(parents=True)
    path.touch()
    return listed(CheckpointKind.MMENGINE, [], path)


def put_base(folder: Path) -> Path:
    (folder / "pretrained/InternVL").mkdir(parents=True)
    (folder / "pretrained/InternVL/config.json").touch()
    return folder / "pretrained/InternVL"


@pytest.mark.parametrize("place", ["project", "study/work_dirs/run", "study/work_dirs", "study"])
def test_the_configs_base_is_looked_for_in_the_project_and_above_the_checkpoint(tmp_path, checkpoint, place):
    base = put_base(tmp_path / place)
    assert settle_base(None, checkpoint, NAMED) == Setting("base", str(base), "the config")


def test_no_further_up_and_not_without_a_config(tmp_path, checkpoint):
    (tmp_path / "study/pretrained/InternVL").mkdir(parents=True)
    put_base(tmp_path)
    with pytest.raises(
        UsageProblem, match="iter_9.pth needs its base .* names 'pretrained/InternVL', which is not her"
    ):
        settle_base(None, checkpoint, NAMED)
    with pytest.raises(RefusedInput, match="all of it"):
        settle_base(None, checkpoint, NAMED, RefusedInput("all of it"))


def test_the_option_wins_and_a_folder_needs_no_base(tmp_path, checkpoint):
    assert settle_base(Path("other"), checkpoint, NAMED) == Setting("base", "other", "--base")
    assert settle_base(None, checkpoint, TrainingRunConfig()) == Setting("base", None, None)
    assert settle_base(None, listed(CheckpointKind.NATIVE, [], tmp_path), NAMED) == Setting("base", None, None)


@pytest.mark.parametrize(
    ("named", "same"),
    [
        ("elsewhere/InternVL", True),
        ("elsewhere/InternVL/", True),
        (r"D:\models\InternVL", True),
        ("InternVL-8B", False),
        ("", True),
        (None, True),
    ],
)
def test_another_name_is_recorded_and_another_place_is_not(named, same, caplog):
    found = base_setting(Setting("base", "models/InternVL", "--base"), run_config(base_path=named), False)
    others = () if same else (Candidate(named, "the config"),)
    assert found == Setting("base", "InternVL", "--base", others)
    assert caplog.messages == ([] if same else [f"base: InternVL from --base, but the config names {named}"])


def test_the_superseded_config_has_its_say_too():
    run = replace(run_config(base_path="a/InternVL"), superseded=run_config(base_path="b/Other").governing)
    found = base_setting(Setting("base", "models/InternVL", "--base"), run, False)
    assert found.overrides == (Candidate("b/Other", "the config"),)


def test_a_sa2va_that_was_loaded_has_another_name_by_right():
    base = Setting("base", "models/Sa2VA", "--base")
    assert base_setting(base, NAMED, True) == Setting("base", "Sa2VA", "--base")
    assert base_setting(Setting("base", None, None), NAMED, False) == Setting("base", None, None)


def test_config_and_tokenizer_are_the_checkpoints_own_or_the_bases(tmp_path, checkpoint):
    own, base = tmp_path / "own", tmp_path / "base"
    own.mkdir()
    base.mkdir()
    with_config = listed(CheckpointKind.NATIVE, [], own, config={})
    bare = listed(CheckpointKind.OTHER, [], own)
    beneath = listed(CheckpointKind.INTERNVL_BASE, [], base, config={})
    assert config_folder(with_config, beneath) == own
    assert config_folder(bare, beneath) == config_folder(checkpoint, beneath) == base
    with pytest.raises(UsageProblem, match="iter_9.pth holds no config.json and no tokenizer; pass --base"):
        config_folder(checkpoint, None)
    with pytest.raises(UsageProblem):
        config_folder(checkpoint, listed(CheckpointKind.SAM2, [], tmp_path / "file", config={}))
