"""A seal shows any change of what it closes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.runs.durable import json_bytes, sealed, unsealed

VALUES = {"case_id": "c1", "rows": [{"text": "a, \u00e9"}, None], "share": 0.25}


def test_what_is_sealed_comes_back_and_is_json():
    assert unsealed(sealed(VALUES)) == json_bytes(VALUES)
    assert {name: value for name, value in json.loads(sealed(VALUES)).items() if name != "sha256"} == VALUES


@given(place=st.integers(0, len(sealed(VALUES)) - 1), bit=st.integers(0, 7))
def test_any_changed_bit_is_noticed(place, bit):
    content = bytearray(sealed(VALUES))
    content[place] ^= 1 << bit
    with pytest.raises(ValueError, match="changed"):
        unsealed(bytes(content))


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 500, json_bytes(VALUES), sealed(VALUES)[:-1]])
def test_what_has_no_seal_is_refused(content):
    with pytest.raises(ValueError, match="changed"):
        unsealed(content)
