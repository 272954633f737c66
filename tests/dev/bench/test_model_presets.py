"""Presets have the tensors of the models that they are named after."""

from helpers.checkpoints.convert.model_config import target_shapes
from helpers.core.vocabulary import Preset
from helpers.dev.bench.model_presets import preset_config
from tests.support.internlm2_sizes import REAL_SIZES, config_of, native_shapes


def test_internlm2_8b_is_sa2va_8b_as_it_is_converted():
    size = REAL_SIZES["sa2va_8b_internvl2_5_internlm2_5_7b"]
    config, published = preset_config(Preset.INTERNLM2_8B), config_of(size)
    assert target_shapes(config) == native_shapes(size)
    assert config.text_config.model_type == published.text_config.model_type == "llama"
