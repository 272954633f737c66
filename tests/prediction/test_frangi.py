"""The settings file: what is written is read, anything else is refused by name."""

import json

import pytest

from helpers.core.errors import RefusedInput
from helpers.prediction.frangi import (
    SCHEMA,
    SCHEMA_VERSION,
    FrangiSettings,
    Ridge,
    Tuned,
    TunedOn,
    read_settings,
)

GOOD = {
    "schema": SCHEMA,
    "schema_version": SCHEMA_VERSION,
    "settings": FrangiSettings(Ridge.FRANGI, scales=(2.0,), threshold=0.3).to_json(),
    "tuned_on": {"cases": ["c1", "c2"], "key_fingerprint": "ab"},
}


def read(path, values):
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return read_settings(path)


def test_what_is_written_is_read(tmp_path):
    found = read(tmp_path / "f.json", GOOD)
    assert found == Tuned(FrangiSettings(Ridge.FRANGI, scales=(2.0,), threshold=0.3), TunedOn(("c1", "c2"), "ab"))
    assert read(tmp_path / "f.json", GOOD | {"tuned_on": None}).tuned_on is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "vesselkit.run"},
        {"schema_version": 2},
        {"settings": GOOD["settings"] | {"scales": []}},
        {"settings": GOOD["settings"] | {"scales": [-1]}},
        {"settings": GOOD["settings"] | {"threshold": float("nan")}},
        {"settings": GOOD["settings"] | {"ridge": "gabor"}},
        {"settings": []},
        {"tuned_on": {"cases": "c1", "key_fingerprint": None}},
        {"tuned_on": []},
    ],
)
def test_anything_else_is_refused(tmp_path, change):
    with pytest.raises(RefusedInput, match="f.json: expected vesselkit.vesselness version 1, .*tune again"):
        read(tmp_path / "f.json", GOOD | change)


@pytest.mark.parametrize("text", ["", "[]", "{}", "no json"])
def test_no_settings_at_all(tmp_path, text):
    with pytest.raises(RefusedInput):
        read(tmp_path / "f.json", text)
