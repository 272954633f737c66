"""`predict_folder` from a folder with code of its own to a finished run.

The model of these tests marks bright pixels by one weight. It stands for loading and bookkeeping, not for Sa2VA.
"""

import hashlib
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast, dynamic_module_utils

from helpers.inference.folder import predict_folder
from helpers.inference.run_folder import read_logits, read_manifest, read_mask

CODE = """
import numpy as np
import torch
from transformers import PretrainedConfig, PreTrainedModel


class BrightConfig(PretrainedConfig):
    model_type = "bright_pixels"
    stop_words = ("<end>",)


class BrightPixels(PreTrainedModel):
    config_class = BrightConfig

    def __init__(self, config):
        super().__init__(config)
        self.level = torch.nn.Parameter(torch.zeros(1))
        self.post_init()

    def predict_forward(self, image, video, text, past_text, mask_prompts, tokenizer):
        assert image.mode == "RGB" and video is None and mask_prompts is None
        grey = torch.from_numpy(np.array(image)[None, ..., 0]).to(self.level)
        logits = (grey - self.level).float().numpy()
        answer = f"{text} [SEG]." + ("<end>" if grey.max() > 0 else "")
        return {"prediction": answer, "prediction_masks": [logits > 0], "prediction_logits": [logits]}
"""


@pytest.fixture
def model_dir(tmp_path, monkeypatch):
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = tmp_path / "bright_model"
    folder.mkdir()
    auto_map = {"AutoConfig": "modeling_bright.BrightConfig", "AutoModel": "modeling_bright.BrightPixels"}
    config = {"model_type": "bright_pixels", "architectures": ["BrightPixels"], "auto_map": auto_map}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling_bright.py").write_text(CODE)
    save_file({"level": torch.tensor([100.5])}, folder / "model.safetensors", metadata={"format": "pt"})
    words = Tokenizer(WordLevel({"<eos>": 0, "a": 1}, unk_token="a"))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<eos>").save_pretrained(folder)
    digest = hashlib.sha256(CODE.encode()).hexdigest()
    record = {"tensors_sha256": "f00d", "outputs": {"modeling_bright.py": {"sha256": digest, "bytes": len(CODE)}}}
    (folder / "conversion.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    values = np.zeros((4, 5), np.uint16)
    Image.fromarray(values).save(folder / "DOE_2.png")  # black: an answer without its end
    values[1, 2:4] = 4095
    Image.fromarray(values).save(folder / "DOE_1.png")
    Image.fromarray(values.T.copy()).save(folder / "DOE_10.png")
    return folder


def test_a_run_from_a_model_folder(model_dir, images, tmp_path):
    summary = predict_folder(model_dir, images, tmp_path / "run", "blood vessel", device="cpu")
    assert [(row.case_id, row.status.value) for row in summary.rows] == [
        ("case_0001", "ok"),
        ("case_0002", "truncated"),
        ("case_0003", "ok"),
    ]
    assert summary.rows[0].text == "blood vessel [SEG].<end>"
    mask = read_mask(summary.folder, "case_0001")
    assert mask.sum() == 2 and mask[1, 2:4].all() and read_mask(summary.folder, "case_0003").shape == (5, 4)
    assert read_logits(summary.folder, "case_0001")[0, 1, 2] == 154.5
    manifest = read_manifest(summary.folder)
    assert manifest == json.loads(json.dumps(summary.manifest))
    assert manifest["parameters"] == {
        "prompt": "blood vessel",
        "threshold": 0.5,
        "limit": None,
        "device": "cpu",
        "dtype": "float32",
    }
    assert manifest["model"].items() >= {"folder_name": "bright_model", "tensors_sha256": "f00d"}.items()
    assert summary.counts["ok"] == 2 and summary.counts["truncated"] == 1


def test_a_limit_keeps_the_case_numbers_and_the_dtype_is_used(model_dir, images, tmp_path):
    summary = predict_folder(model_dir, images, tmp_path / "run", "vessel", device="cpu", dtype="bfloat16", limit=1)
    assert [row.case_id for row in summary.rows] == ["case_0001"]
    assert summary.manifest["parameters"]["dtype"] == "bfloat16" and summary.manifest["parameters"]["limit"] == 1
