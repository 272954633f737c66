"""An image processor's file against what the exported model does to images."""

import json

import pytest

from helpers.checkpoints.convert.image_processor import require_own_pixels
from helpers.core.errors import RefusedInput
from helpers.model.configuration_sa2va import Sa2VAConfig

CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
PUBLISHED = {**CLIP, "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2, "max_pixels": 99, "min_pixels": 9}
EXPORTED = PUBLISHED | {"do_resize": True, "resample": 3, "rescale_factor": 0.00392156862745098, "crop_size": None,
                        "image_processor_type": "Qwen2VLImageProcessorFast"}  # fmt: skip
TEXT = {"model_type": "qwen2_5_vl_text", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "intermediate_size": 8, "vocab_size": 5, "bos_token_id": 1,
        "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 0]}}  # fmt: skip


@pytest.fixture(scope="module")
def config():
    return Sa2VAConfig(family="qwen2_5_vl", text_config=TEXT)


def checked(folder, config, stated):
    (folder / "preprocessor_config.json").write_text(json.dumps(stated))
    require_own_pixels(folder, config)


@pytest.mark.parametrize("stated", [{}, PUBLISHED, EXPORTED, {"image_mean": None}])
def test_published_files_and_what_they_leave_out_pass(tmp_path, config, stated):
    checked(tmp_path, config, stated)


def test_a_folder_without_the_file_passes(tmp_path, config):
    require_own_pixels(tmp_path, config)


@pytest.mark.parametrize(
    "change",
    [
        {"image_mean": [0.5, 0.5, 0.5]},
        {"image_std": [0.5, 0.5, 0.5]},
        {"patch_size": 16},
        {"merge_size": 4},
        {"temporal_patch_size": 1},
        {"rescale_factor": 1.0},
        {"resample": 2},
        {"do_resize": False},
        {"do_rescale": False},
        {"do_normalize": False},
    ],
)
def test_what_would_make_other_pixels_is_refused_by_name(tmp_path, config, change):
    (name,) = change
    with pytest.raises(RefusedInput, match=f"preprocessor_config.json: expected {{'{name}': .* got {{'{name}': "):
        checked(tmp_path, config, PUBLISHED | change)


def test_other_families_do_not_read_it(tmp_path):
    text = TEXT | {"model_type": "qwen2", "rope_scaling": None}
    checked(tmp_path, Sa2VAConfig(text_config=text), PUBLISHED | {"patch_size": 7})
