"""Rotary settings in the names of either generation: what is understood, and what would decide in silence."""

from pathlib import Path

import pytest

from helpers.checkpoints.convert.rotary_settings import require_dynamic, require_rotary
from helpers.core.errors import RefusedInput

ORIGIN = Path("base/config.json")
DYNAMIC = {"type": "dynamic", "factor": 2.0}
SHARES = {"mrope_section": [2, 1, 1]}


@pytest.mark.parametrize(
    "text",
    [
        {},
        {"rope_theta": 1e6, "rope_scaling": None},
        {"rope_theta": 1e6, "rope_scaling": DYNAMIC},
        {"rope_theta": 1e6, "rope_scaling": {**DYNAMIC, "rope_type": "dynamic"}},
        {"rope_parameters": {"rope_theta": 1e6, "rope_type": "dynamic", "factor": 2.0}},
        {"rope_theta": 1e6, "rope_scaling": {"type": "mrope", "rope_type": "default", **SHARES}},
        {"rope_parameters": {"rope_theta": 1e6, "rope_type": "default", "mrope_interleaved": True, **SHARES}},
        {"rope_theta": 1e6, "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "beta_fast": 32, **SHARES}},
        {"rope_theta": 1e6, "rope_scaling": DYNAMIC, "rope_parameters": {**DYNAMIC, "rope_theta": 1000000}},
        {"rope_theta": 1e6, "rope_scaling": None, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        {"rope_parameters": {"rope_theta": 1e6, "partial_rotary_factor": 1.0}},
    ],
)
def test_what_one_place_or_both_say_alike_is_understood(text):
    require_rotary(text, ORIGIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ({"rope_theta": 1e6, "rope_parameters": {"rope_theta": 1e4}}, "rope_theta and rope_parameters contradict"),
        ({"rope_scaling": {"type": "dynamic", "rope_type": "linear"}}, "on rope_type ('dynamic' and 'linear')"),
        (
            {"rope_scaling": DYNAMIC, "rope_parameters": {"type": "linear", "factor": 2.0}},
            "rope_scaling and rope_param",
        ),
        ({"rope_scaling": DYNAMIC, "rope_parameters": {"rope_theta": 1e6}}, "rope_scaling and rope_parameters contra"),
        ({"rope_scaling": None, "rope_parameters": DYNAMIC}, "contradict each other (None and {'type': 'dynamic'"),
        ({"rope_scaling": DYNAMIC, "rope_parameters": {**DYNAMIC, "factor": 4.0}}, "on factor (2.0 and 4.0)"),
        ({"rope_parameters": {"full_attention": {"rope_theta": 1e6}}}, "rope_parameters: full_attention is not under"),
        ({"rope_parameters": {"rope_theta": 1e6, "partial_rotary_factor": 0.5}}, "partial_rotary_factor is not unders"),
        ({"rope_theta": 1e6, "partial_rotary_factor": 0.5}, "partial_rotary_factor is not understood (got 0.5)"),
        ({"rope_scaling": "dynamic"}, "rope_scaling: expected an object or null, got 'dynamic'"),
    ],
)
def test_what_contradicts_or_is_not_understood_is_refused(text, said):
    with pytest.raises(RefusedInput) as caught:
        require_rotary(text, ORIGIN)
    assert str(caught.value).startswith("base/config.json: ") and said in str(caught.value)


@pytest.mark.parametrize("place", ["rope_scaling", "rope_parameters"])
def test_internlm2_has_dynamic_scaling_or_none_by_whatever_name(place):
    for known in ({}, {"rope_theta": 1e6}, DYNAMIC, {"rope_type": "default"}):
        require_dynamic({place: known}, ORIGIN)
    linear, far = {"type": "linear", "factor": 2.0}, {**DYNAMIC, "original_max_position_embeddings": 4096}
    for other in (linear, {"type": "dynamic"}, {**DYNAMIC, "factor": "2"}, {**DYNAMIC, "factor": 0.5}, far):
        with pytest.raises(RefusedInput, match="llm_config: expected InternLM2 with rotary scaling of type 'dynamic'"):
            require_dynamic({place: other}, ORIGIN)
