import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.read import weight_source
from helpers.checkpoints.read.weight_file import SafetensorsFile, TensorInfo
from helpers.checkpoints.read.weight_folder import holds_weights
from helpers.checkpoints.read.weight_source import CheckpointKind, TensorSource, open_source
from helpers.core.errors import RefusedInput
from tests.support.checkpoint_samples import EXPORT_TENSORS, Touch, mmengine_entries, write_sharded

FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
NAMES = list(EXPORT_TENSORS)
SHARDS = {FIRST: {n: EXPORT_TENSORS[n] for n in NAMES[:2]}, SECOND: {n: EXPORT_TENSORS[n] for n in NAMES[2:]}}
WEIGHT_MAP = dict.fromkeys(NAMES[:2], FIRST) | dict.fromkeys(NAMES[2:], SECOND)


def equal(source, tensors) -> bool:
    return all(source.read(n).dtype == t.dtype and torch.equal(source.read(n), t) for n, t in tensors.items())


def refusal(path: Path) -> str:
    with pytest.raises(RefusedInput) as caught:
        open_source(path)
    return str(caught.value)


def test_mmengine_checkpoint(mmengine_file, state_dict):
    with open_source(mmengine_file) as source:
        assert source.kind is CheckpointKind.MMENGINE
        assert list(source.tensors) == list(state_dict)
        assert {name: info.dtype for name, info in source.tensors.items()} == {
            n: t.dtype for n, t in state_dict.items()
        }
        assert equal(source, state_dict)
        assert source.meta.iter == 3672
        assert source.meta.epoch == 1
        assert "lora_alpha=8" in source.meta.config_text
        assert source.meta.dataset_meta == {"classes": ["vessel"]}
        assert source.other_entries == {"meta": "dict", "message_hub": "dict", "optimizer": "dict"}
        assert source.files == (mmengine_file,)
        assert source.config is None


def test_flat_file_reports_what_is_no_tensor(tmp_path, state_dict):
    path = tmp_path / "flat.bin"
    torch.save(dict(state_dict) | {"epoch": 3, "note": "x"}, path)
    source = open_source(path)
    assert source.kind is CheckpointKind.FLAT
    assert source.ignored == {"epoch": "int", "note": "str"}
    assert equal(source, state_dict)
    assert source.meta is None


@pytest.mark.parametrize("name", ["mllm.model.w", "grounding_encoder.sam2_model.w", "text_hidden_fcs.0.bias"])
def test_names_of_training_alone_make_a_flat_file(tmp_path, name):
    torch.save({name: torch.ones(1)}, tmp_path / "a.pth")
    assert open_source(tmp_path / "a.pth").kind is CheckpointKind.FLAT


SAM2_TENSORS = {"image_encoder.trunk.pos_embed": torch.ones(2), "sam_mask_decoder.iou_token.weight": torch.zeros(2)}


@pytest.mark.parametrize("layout", ["wrapped", "flat", "safetensors"])
def test_sam2_file(tmp_path, layout):
    path = tmp_path / "sam2_hiera_large.pt"
    if layout == "safetensors":
        save_file(SAM2_TENSORS, path)
    else:
        torch.save({"model": SAM2_TENSORS} if layout == "wrapped" else SAM2_TENSORS, path)
    source = open_source(path)
    assert source.kind is CheckpointKind.SAM2
    assert equal(source, SAM2_TENSORS)


def test_the_listed_names_are_there():
    assert [name for name in weight_source.__all__ if not hasattr(weight_source, name)] == []
    assert TensorSource.__name__ in weight_source.__all__


def test_kinds_have_the_names_that_records_hold():
    names = ["mmengine", "flat", "sam2", "hf_export", "internvl_base", "qwen_vl_base", "native", "peft_adapter",
             "other"]  # fmt: skip
    assert [kind.value for kind in CheckpointKind] == names


def test_unknown_names_are_other(tmp_path):
    torch.save({"fc.weight": torch.ones(1)}, tmp_path / "a.pth")
    assert open_source(tmp_path / "a.pth").kind is CheckpointKind.OTHER


@pytest.mark.parametrize(
    ("config", "names", "kind"),
    [
        ({"model_type": "sa2va_chat"}, NAMES, CheckpointKind.HF_EXPORT),
        ({"model_type": "internvl_chat"}, NAMES[:3], CheckpointKind.INTERNVL_BASE),
        ({"sa2va_format_version": 1}, NAMES[:1], CheckpointKind.NATIVE),
        (None, NAMES, CheckpointKind.HF_EXPORT),
    ],
)
def test_folder_kinds(tmp_path, config, names, kind):
    save_file({name: EXPORT_TENSORS[name] for name in names}, tmp_path / "model.safetensors")
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    source = open_source(tmp_path)
    assert source.kind is kind
    assert source.config == config
    assert [path.name for path in source.files] == ["model.safetensors"]


def test_sharded_folder(tmp_path):
    folder = write_sharded(tmp_path / "m", SHARDS, WEIGHT_MAP)
    with open_source(folder) as source:
        assert source.kind is CheckpointKind.HF_EXPORT
        assert set(source.tensors) == set(EXPORT_TENSORS)
        assert [path.name for path in source.files] == [FIRST, SECOND]
        assert equal(source, EXPORT_TENSORS)
        assert equal(source, dict(reversed(EXPORT_TENSORS.items())))


def test_only_the_file_read_last_stays_open(tmp_path, monkeypatch):
    source = open_source(write_sharded(tmp_path / "m", SHARDS, WEIGHT_MAP))
    closed, close = [], SafetensorsFile.close
    monkeypatch.setattr(SafetensorsFile, "close", lambda file: closed.append(file.path.name) or close(file))
    for name in (NAMES[0], NAMES[1], NAMES[2], NAMES[0]):
        source.read(name)
    assert closed == [FIRST, SECOND]
    source.close()
    assert closed[2:] == [FIRST, SECOND]
    with source as same:
        assert same is source
    assert closed[4:] == [FIRST, SECOND]


def test_folder_of_torch_files(tmp_path):
    torch.save(SHARDS[FIRST], tmp_path / "pytorch_model-00001-of-00002.bin")
    torch.save(SHARDS[SECOND], tmp_path / "pytorch_model-00002-of-00002.bin")
    torn = {n: f.replace("model-", "pytorch_model-").replace(".safetensors", ".bin") for n, f in WEIGHT_MAP.items()}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": torn}))
    assert equal(open_source(tmp_path), EXPORT_TENSORS)


def test_single_torch_file_in_folder(tmp_path):
    torch.save(EXPORT_TENSORS, tmp_path / "pytorch_model.bin")
    assert equal(open_source(tmp_path), EXPORT_TENSORS)


def test_safetensors_come_before_torch_files_which_are_reported(tmp_path):
    save_file(EXPORT_TENSORS, tmp_path / "model.safetensors")
    torch.save(EXPORT_TENSORS, tmp_path / "pytorch_model.bin")
    for name in ("optimizer.pt", "iter_1.safetensors", "old.pth", "notes.txt"):
        (tmp_path / name).touch()
    source = open_source(tmp_path)
    assert [path.name for path in source.files] == ["model.safetensors"]
    assert list(source.ignored) == ["iter_1.safetensors", "old.pth", "optimizer.pt", "pytorch_model.bin"]
    assert set(source.ignored.values()) == {"weight file that is not part of this model"}


def test_missing_shard(tmp_path):
    folder = write_sharded(tmp_path / "m", {FIRST: SHARDS[FIRST]}, WEIGHT_MAP)
    message = refusal(folder)
    assert SECOND in message and "missing" in message


def test_tensor_missing_from_its_shard(tmp_path):
    folder = write_sharded(tmp_path / "m", SHARDS, WEIGHT_MAP | {"mlp1.1.weight": SECOND})
    assert "mlp1.1.weight" in refusal(folder)


def test_tensor_not_in_the_index(tmp_path):
    folder = write_sharded(tmp_path / "m", SHARDS, {n: f for n, f in WEIGHT_MAP.items() if n != NAMES[0]})
    message = refusal(folder)
    assert NAMES[0] in message and FIRST in message


def test_tensor_in_two_shards(tmp_path):
    shards = {FIRST: SHARDS[FIRST], SECOND: SHARDS[SECOND] | {NAMES[0]: EXPORT_TENSORS[NAMES[0]]}}
    message = refusal(write_sharded(tmp_path / "m", shards, WEIGHT_MAP))
    assert "both" in message and NAMES[0] in message


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/x", "sub/x.safetensors", "..", "a\\b", "C:x", 3, ""])
def test_index_may_not_leave_the_folder(tmp_path, name):
    save_file(EXPORT_TENSORS, tmp_path / "x.safetensors")
    folder = write_sharded(tmp_path / "m", {}, {"a": name})
    assert "plain name" in refusal(folder)


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"metadata": {}}', "[" * 100000, '{"weight_map": {}}', '{"weight_map": ["a"]}']
)
def test_damaged_index(tmp_path, text):
    (tmp_path / "model.safetensors.index.json").write_text(text)
    assert "model.safetensors.index.json" in refusal(tmp_path)


def test_index_and_single_file_together(tmp_path):
    folder = write_sharded(tmp_path / "m", SHARDS, WEIGHT_MAP)
    save_file(EXPORT_TENSORS, folder / "model.safetensors")
    assert "holds both" in refusal(folder)


def test_parts_without_index(tmp_path):
    save_file(EXPORT_TENSORS, tmp_path / FIRST)
    assert "without model.safetensors.index.json" in refusal(tmp_path)
    assert str(tmp_path) in refusal(tmp_path / FIRST)


def test_torch_parts_without_index(tmp_path):
    torch.save(SHARDS[FIRST], tmp_path / "pytorch_model-00001-of-00002.bin")
    assert "(pytorch_model-00001-of-00002.bin, 1 in all) without pytorch_model.bin.index.json" in refusal(tmp_path)


def test_a_json_file_may_have_64_megabytes(tmp_path):
    save_file(EXPORT_TENSORS, tmp_path / "model.safetensors")
    with (tmp_path / "config.json").open("wb") as stream:
        stream.truncate(64 << 20)
    assert "cannot be read as JSON" in refusal(tmp_path)
    with (tmp_path / "config.json").open("ab") as stream:
        stream.truncate((64 << 20) + 1)
    assert "is larger than 64 MB" in refusal(tmp_path)


def test_a_folder_of_deepspeed_is_refused(tmp_path):
    (tmp_path / "mp_rank_00_model_states.pt").touch()
    assert "DeepSpeed" in refusal(tmp_path)


def test_damaged_config(tmp_path):
    save_file(EXPORT_TENSORS, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("not json")
    assert "config.json" in refusal(tmp_path)


def test_empty_folder_missing_path_and_file_without_tensors(tmp_path):
    assert "no weights" in refusal(tmp_path)
    assert "does not exist" in refusal(tmp_path / "none")
    torch.save({"epoch": 1}, tmp_path / "a.pth")
    assert "holds no tensors (it holds epoch)" in refusal(tmp_path / "a.pth")


def test_training_folder_lists_its_checkpoints(mmengine_file):
    (mmengine_file.parent / "last_checkpoint").write_text("/somewhere/else/iter_3672.pth")
    message = refusal(mmengine_file.parent)
    assert "training folder" in message
    assert "iter_3672.pth (last)" in message


def test_missing_tensor_names_the_checkpoint(mmengine_file):
    with open_source(mmengine_file) as source, pytest.raises(RefusedInput, match="has no tensor 'zz'") as caught:
        source.read("zz")
    assert str(mmengine_file) in str(caught.value)


def test_payload_is_refused_here_too(tmp_path, state_dict):
    content = mmengine_entries(state_dict)
    content["message_hub"]["x"] = Touch(tmp_path / "ran")
    torch.save(content, tmp_path / "iter_1.pth")
    assert "posix.system" in refusal(tmp_path / "iter_1.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("ckpt_lora/iter_3672.pth", CheckpointKind.MMENGINE, 185),
        ("ckpt_plain/iter_3672.pth", CheckpointKind.MMENGINE, 226),
        ("base/sam2_base.pt", CheckpointKind.SAM2, 356),
        ("base/internvl_base", CheckpointKind.INTERNVL_BASE, 91),
        ("hf_export", CheckpointKind.HF_EXPORT, 451),
    ],
)
@pytest.mark.golden
def test_golden_checkpoints(golden, name, kind, count):
    with open_source(golden / name) as source:
        assert source.kind is kind
        assert len(source.tensors) == count
        for tensor, info in source.tensors.items():
            read = source.read(tensor)
            assert (tuple(read.shape), read.dtype) == (info.shape, info.dtype)


@pytest.mark.parametrize("name", [FIRST, "pytorch_model-00001-of-00002.bin", "config.json", "a.index.json"])
def test_a_part_of_a_model_is_no_checkpoint(tmp_path, name):
    (tmp_path / name).write_text("{}")
    assert refusal(tmp_path / name) == f"{tmp_path / name} is only a part of a model. Give its folder: {tmp_path}."


VISION, LANGUAGE, PROJECTOR = "vision_model.x", "language_model.x", "mlp1.0.weight"
GROUNDING = "grounding_encoder.sam2_model.x"


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ((VISION, LANGUAGE, PROJECTOR), CheckpointKind.INTERNVL_BASE),
        ((VISION, LANGUAGE, PROJECTOR, GROUNDING), CheckpointKind.HF_EXPORT),
        ((LANGUAGE, PROJECTOR), CheckpointKind.OTHER),
        ((VISION, PROJECTOR), CheckpointKind.OTHER),
        ((VISION, LANGUAGE), CheckpointKind.OTHER),
        ((VISION, LANGUAGE, GROUNDING), CheckpointKind.FLAT),
        (("visual.x",), CheckpointKind.QWEN_VL_BASE),
        (("model.visual.x",), CheckpointKind.QWEN_VL_BASE),
        (("model.model.visual.x", GROUNDING), CheckpointKind.HF_EXPORT),
        (("model.model.model.visual.x",), CheckpointKind.OTHER),
        (("image_encoder.trunk.x", "sam_mask_decoder.x"), CheckpointKind.SAM2),
        (("image_encoder.trunk.x",), CheckpointKind.OTHER),
        (("sam_mask_decoder.x",), CheckpointKind.OTHER),
    ],
)
def test_kinds_by_the_beginnings_of_names(names, kind):
    tensors = {name: TensorInfo(name, (1,), torch.float32) for name in names}
    file = SimpleNamespace(path=Path("x"), tensors=tensors, ignored={}, other_entries={}, meta=None)
    assert TensorSource(Path("x"), (file,), None, {}).kind is kind
    assert kind.is_base is (kind in (CheckpointKind.INTERNVL_BASE, CheckpointKind.QWEN_VL_BASE))


def test_entries_of_a_file_without_tensors_are_listed_up_to_twelve(tmp_path):
    torch.save({f"e{number:02}": number for number in range(13)}, tmp_path / "a.pth")
    listed = ", ".join(f"e{number:02}" for number in range(12))
    assert f"holds no tensors (it holds {listed}). Expected" in refusal(tmp_path / "a.pth")
    torch.save({}, tmp_path / "b.pth")
    assert "(it holds nothing)" in refusal(tmp_path / "b.pth")


@pytest.mark.parametrize("stem", ["model{}.safetensors", "pytorch_model{}.bin"])
@pytest.mark.parametrize("part", ["", "-00001-of-00002"])
def test_which_files_make_a_folder_of_weights(tmp_path, stem, part):
    assert not holds_weights(tmp_path)
    (tmp_path / stem.format(part)).touch()
    assert holds_weights(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors.index.json", "pytorch_model.bin.index.json"])
def test_an_index_makes_a_folder_of_weights(tmp_path, name):
    (tmp_path / "model.json").touch()
    assert not holds_weights(tmp_path)
    (tmp_path / name).touch()
    assert holds_weights(tmp_path)
