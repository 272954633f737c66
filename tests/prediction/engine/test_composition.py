"""A composed model is the exported one."""

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.checkpoints.convert import convert
from helpers.core.errors import RefusedInput
from helpers.prediction.engine.composition import compose
from helpers.prediction.engine.model_loading import check_folder, load_model
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from tests.support.published_sa2va import publish
from tests.support.tiny_sources import FIXTURES, copy_sources, fixture_sources, internlm2_sources

pytestmark = pytest.mark.model


def composed(sources, dtype="float32"):
    return compose(
        sources.checkpoint, sources.base, sources.sam2, sam2_config=str(sources.sizes), device="cpu", dtype=dtype
    )


@pytest.mark.parametrize(
    ("of", "dtype"),
    [(fixture_sources, "float32"), (fixture_sources, "bfloat16"), (internlm2_sources, "float32")],
)
def test_equal_tensors_and_fingerprints(tmp_path, of, dtype):
    sources = of()
    record = convert(sources.request(tmp_path / "model", dtype=dtype))
    model, tokenizer, identity = composed(sources, dtype)
    exported, other_tokenizer = load_model(tmp_path / "model", "cpu", dtype)
    assert identity["tensors_sha256"] == record.values["tensors_sha256"]
    assert identity["files_sha256"] == check_folder(tmp_path / "model").files_sha256
    assert identity["folder_name"] == sources.checkpoint.name
    assert not model.training
    for ours, theirs in (
        (model.state_dict(), exported.state_dict()),
        (dict(model.named_buffers()), dict(exported.named_buffers())),
    ):
        assert set(ours) == set(theirs)
        for name, tensor in theirs.items():
            assert ours[name].dtype == tensor.dtype and torch.equal(ours[name], tensor), name
    assert tokenizer.get_vocab() == other_tokenizer.get_vocab()


def test_a_fine_tune_of_a_sa2va_is_composed_onto_its_weights(tmp_path):
    sources = copy_sources(tmp_path)
    published = publish(sources, tmp_path)
    record = convert(sources.request(tmp_path / "model", pretrained=published.file))
    given = (sources.checkpoint, sources.base, sources.sam2)
    options = {"sam2_config": str(sources.sizes), "device": "cpu", "dtype": "float32"}
    _, _, identity = compose(*given, **options, pretrained=published.file)
    assert identity["tensors_sha256"] == record.values["tensors_sha256"]
    with pytest.raises(RefusedInput, match="names pretrained_pth"):
        compose(*given, **options)


def test_a_composed_model_predicts_as_the_exported_one(tmp_path):
    sources = fixture_sources()
    convert(sources.request(tmp_path / "model"))
    image = Image.open(FIXTURES / "images/image_01.png").convert("RGB")
    answers = []
    for model, tokenizer in (composed(sources)[:2], load_model(tmp_path / "model", "cpu", "float32")):
        predictor = Sa2VAPredictor(model, tokenizer, {})
        answers.append(predictor.predict([predictor.prepare(image)], ["Please segment the blood vessels."])[0][0])
    assert answers[0].text == answers[1].text and len(answers[0].logits) == 1
    assert np.abs(answers[0].logits - answers[1].logits).max() < 1e-4


def test_both_refuse_a_missing_tensor_with_the_same_words(tmp_path):
    sources = copy_sources(tmp_path)
    sources.edit_base(lambda tensors: tensors.pop("vision_model.encoder.layers.0.attn.proj.weight"))
    messages = []
    for run in (lambda: convert(sources.request(tmp_path / "model")), lambda: composed(sources)):
        with pytest.raises(RefusedInput) as refused:
            run()
        messages.append(str(refused.value))
    assert messages[0] == messages[1] and "without a source: vision_tower.encoder.layer.0.attention" in messages[0]


def test_both_refuse_a_run_that_changed_nothing(tmp_path):
    sources = copy_sources(tmp_path)

    def undo(content):
        for name, tensor in content["state_dict"].items():
            if "lora_B" in name:
                tensor.zero_()

    sources.edit_checkpoint(undo)
    messages = []
    for run in (lambda: convert(sources.request(tmp_path / "model")), lambda: composed(sources)):
        with pytest.raises(RefusedInput, match="LoRA changes are zero") as refused:
            run()
        messages.append(str(refused.value))
    assert messages[0] == messages[1]
