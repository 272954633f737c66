"""A model folder is checked before its code runs, and loaded tensor by tensor."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from helpers.checkpoints.convert.conversion_record import FIELDS, RECORD_NAME, SCHEMA, SCHEMA_VERSION
from helpers.core.documents import write_document
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Quantization
from helpers.model.quantization.layers import quantization_of, takes
from helpers.prediction.engine import memory_estimate, model_loading
from helpers.prediction.engine.dtypes import DTYPES, MIXED
from helpers.prediction.engine.model_loading import check_folder, check_memory, choose_device, choose_dtype, load_model
from helpers.prediction.sa2va_predictor import Sa2VAPredictor

CODE = "raise SystemExit('the code of the folder ran')\n"


@pytest.fixture
def folder(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "modeling.Model"}}))
    (model / "modeling.py").write_text(CODE)
    digest = hashlib.sha256(CODE.encode()).hexdigest()
    write_record(model, outputs={"modeling.py": {"sha256": digest, "bytes": len(CODE)}})
    return model


def write_record(model, **values):
    """A conversion record whose fields are empty but for the given ones."""
    values = {**dict.fromkeys(FIELDS), "tensors_sha256": "abc", **values}
    write_document(model / RECORD_NAME, SCHEMA, SCHEMA_VERSION, values)


def test_an_untouched_folder_passes(folder):
    identity = check_folder(folder)
    assert identity.folder_name == "model" and identity.tensors_sha256 == "abc"


def test_changed_code_is_refused_and_does_not_run(folder):
    (folder / "modeling.py").write_text(CODE + "\n")
    with pytest.raises(RefusedInput, match=r"modeling.py: expected SHA-256 .* changed after the export"):
        load_model(folder, device="cpu")


def test_added_and_missing_code_is_refused(folder):
    (folder / "extra.py").write_text("")
    with pytest.raises(RefusedInput, match=r"extra.py: code that conversion.json does not record"):
        check_folder(folder)
    (folder / "extra.py").unlink()
    (folder / "modeling.py").unlink()
    with pytest.raises(RefusedInput, match=r"modeling.py: expected this file, which conversion.json records, f"):
        check_folder(folder)


@pytest.mark.parametrize(
    ("name", "values", "place"),
    [
        ("config.json", {"auto_map": {"AutoModel": "someone/else--modeling.Model"}}, "auto_map"),
        ("config.json", {"vision": [{"auto_map": {"AutoModel": "a/b--c.D"}}]}, r"vision\.0\.auto_map"),
        ("config.json", {"custom_pipelines": {"image-segmentation": {"impl": "a/b--c.D"}}}, "custom_pipelines"),
        ("config.json", {"_attn_implementation_internal": "someone/kernels"}, "_attn_implementation_internal"),
        ("config.json", {"text": {"attn_implementation": {"": "a/b@main"}}}, r"text\.attn_implementation"),
        ("config.json", {"_experts_implementation": "a/b"}, "_experts_implementation"),
        ("config.json", {"text": {"trust_remote_code": True}}, r"text\.trust_remote_code"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": [None, "a/b--c.D"]}}, "auto_map"),
        ("preprocessor_config.json", {"auto_map": {"AutoProcessor": "a/b--c.D"}}, "auto_map"),
    ],
)
def test_code_from_elsewhere_is_refused(folder, name, values, place):
    (folder / name).write_text(json.dumps(values))
    with pytest.raises(RefusedInput, match=rf"{name}: {place} points to code outside the folder"):
        load_model(folder, device="cpu")


def test_settings_that_name_nothing_elsewhere_pass(folder):
    values = {"_attn_implementation": "sdpa", "trust_remote_code": False, "a/b": ["c--d"], "auto_map": None}
    (folder / "config.json").write_text(json.dumps(values))
    check_folder(folder)


def test_a_folder_without_record_is_said_to_be_unchecked(folder, caplog):
    (folder / "conversion.json").unlink()
    assert check_folder(folder).tensors_sha256 is None
    assert "could not be checked" in caplog.text


@pytest.mark.parametrize("content", ["{", "[]", "\x00"])
def test_broken_json(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(RefusedInput, match=r"config.json"):
        check_folder(folder)


@pytest.mark.parametrize("record", [{}, {"schema": SCHEMA, "schema_version": 2}, {"schema": SCHEMA}])
def test_another_file_in_place_of_the_record_is_refused(folder, record):
    (folder / RECORD_NAME).write_text(json.dumps(record))
    with pytest.raises(RefusedInput, match=r"conversion\.json: expected vesselkit\.conversion .*Convert again"):
        check_folder(folder)


@pytest.mark.parametrize("outputs", [None, [], {"modeling.py": "abc"}])
def test_a_broken_record_is_refused(folder, outputs):
    write_record(folder, outputs=outputs)
    with pytest.raises(RefusedInput, match=r"conversion\.json: expected 'outputs'"):
        check_folder(folder)


def test_no_model_folder(tmp_path):
    with pytest.raises(RefusedInput, match="vesselkit convert"):
        check_folder(tmp_path)


def test_a_base_is_told_from_a_model(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "internvl_chat"}))
    with pytest.raises(RefusedInput, match="a model of type 'internvl_chat'.* this folder as --base"):
        check_folder(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "sa2va"}))
    check_folder(folder)


def test_a_checkpoint_is_told_from_a_model(tmp_path):
    path = tmp_path / "iter_5.pth"
    path.write_bytes(b"weights")
    for given in (path, tmp_path):
        with pytest.raises(RefusedInput, match="looks like a checkpoint. Convert it first, or .* as --checkpoint"):
            check_folder(given)


def test_devices_and_dtypes():
    cpu = choose_device("cpu")
    assert cpu.type == "cpu" and choose_dtype("auto", cpu) == DTYPES["float32"]
    assert choose_dtype("bfloat16", cpu) == DTYPES["bfloat16"]
    assert choose_dtype("mixed", cpu) == MIXED
    assert choose_device("auto").type in {"cpu", "cuda"}
    for bad in ("gpu", "cuda:99", "meta"):
        with pytest.raises(UsageProblem, match="device"):
            choose_device(bad)
    with pytest.raises(UsageProblem, match="dtype"):
        choose_dtype("float", cpu)


def test_the_fingerprint_of_files_follows_code_and_config(folder):
    before = check_folder(folder)
    assert check_folder(folder) == before
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | {"stop_words": ["."]}))
    assert check_folder(folder).files_sha256 != before.files_sha256


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_model_is_that_of_transformers(fixture_folder, dtype):
    ours, _ = load_model(fixture_folder, "cpu", str(dtype).removeprefix("torch."))
    theirs = AutoModel.from_pretrained(fixture_folder, trust_remote_code=True, dtype=dtype).eval()
    assert not ours.training and ours.config._attn_implementation == theirs.config._attn_implementation
    for found, expected in (
        (dict(ours.named_parameters()), dict(theirs.named_parameters())),
        (dict(ours.named_buffers()), dict(theirs.named_buffers())),
    ):
        assert list(found) == list(expected)
        for name, tensor in expected.items():
            assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name


@pytest.mark.parametrize("quantization", list(Quantization))
def test_layers_come_in_few_bits(fixture_folder, quantization):
    plain, _ = load_model(fixture_folder, "cpu", "float32")
    model, _ = load_model(fixture_folder, "cpu", "float32", quantization)
    assert quantization_of(model) is quantization and quantization_of(plain) is None
    kept = dict(plain.named_parameters())
    layers = {name for name, module in plain.named_modules() if takes(name, module, quantization)}
    assert len(layers) == 14  # seven in each of two blocks
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, kept[name]), name  # biases and all that is not of these layers
    assert set(kept) - {name for name, _ in model.named_parameters()} == {f"{name}.weight" for name in layers}
    weight = plain.get_submodule(min(layers)).weight
    error = (model.get_submodule(min(layers)).weight_values() - weight).norm() / weight.norm()
    assert 0 < error < (0.01 if quantization is Quantization.INT8 else 0.12)
    image = Image.new("RGB", (64, 64), "grey")
    predictor = Sa2VAPredictor(model, load_model(fixture_folder, "cpu", "float32")[1], {})
    assert predictor.settings["quantization"] == str(quantization)
    (answer,) = predictor.predict([predictor.prepare(image)], ["Please segment the blood vessels."])[0]
    assert np.isfinite(answer.logits).all()


def test_missing_strange_and_damaged_weights_are_refused(fixture_folder, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(fixture_folder, folder)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = "language_model.model.norm.weight"
    for change, said in (
        ({name: None}, r"1 tensors are missing, such as language_model\.model\.norm\.weight"),
        ({name: torch.zeros(3)}, r"norm\.weight: expected \(64,\), found \(3,\)"),
        ({"stray": torch.zeros(3)}, r"stray: expected no tensor of this name, found \(3,\)"),
    ):
        save_file({key: value for key, value in (tensors | change).items() if value is not None}, path)
        with pytest.raises(RefusedInput, match=said):
            load_model(folder, "cpu")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(RefusedInput, match="cannot be loaded"):
        load_model(folder, "cpu")


def test_too_little_memory_is_told_before_loading(fixture_folder, monkeypatch):
    monkeypatch.setattr(model_loading, "choose_device", torch.device)
    monkeypatch.setattr(memory_estimate, "free_bytes", lambda device: 10**9)
    monkeypatch.setattr(model_loading, "fill", None)
    for refuse in (load_model, check_memory):
        with pytest.raises(UsageProblem, match="needs about 2 GB on cuda, but 1 GB are free, too little"):
            refuse(fixture_folder, "cuda", "bfloat16")
