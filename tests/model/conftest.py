"""Exports made once for the tests of the model."""

from functools import cache

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from helpers.checkpoints.convert import ConversionRequest, convert
from tests.support.tiny_sources import fixture_sources


@pytest.fixture(scope="session")
def converted_folder(shared, tmp_path_factory):
    """Folder of a golden source, converted to float32: 'ckpt_lora', 'ckpt_plain' or 'hf_export'."""
    golden = shared / "golden/tiny_qwen2"
    bases = {"base": golden / "base/internvl_base", "sam2": golden / "base/sam2_base.pt"}
    checkpoints = {
        "ckpt_lora": {"checkpoint": golden / "ckpt_lora/iter_3672.pth", **bases},
        "ckpt_plain": {"checkpoint": golden / "ckpt_plain/iter_3672.pth", **bases},
        "hf_export": {"checkpoint": golden / "hf_export"},
    }

    @cache
    def folder(source: str):
        output = tmp_path_factory.mktemp(source) / "model"
        sizes = str(golden / "sam2_dims.json")
        convert(ConversionRequest(output=output, sam2_config=sizes, dtype="float32", **checkpoints[source]))
        return output

    return folder


@pytest.fixture(scope="session")
def converted(converted_folder):
    """(model, tokenizer) of a golden source, loaded as a user loads them."""

    @cache
    def load(source: str):
        folder = converted_folder(source)
        model = AutoModel.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32).eval()
        return model, AutoTokenizer.from_pretrained(folder, trust_remote_code=True)

    return load


@pytest.fixture(scope="session")
def fixture_folder_bfloat16(tmp_path_factory):
    """The kit's own tiny fixture, exported in bfloat16 in several shards."""
    output = tmp_path_factory.mktemp("fixture") / "model"
    convert(fixture_sources().request(output, dtype="bfloat16", shard_bytes=500_000))
    return output
