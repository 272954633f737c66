"""What an imported run keeps of what its masks began from."""

from pathlib import Path

import pytest

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import BeganFrom
from helpers.data.exported_masks import ExportedMask, MaskBase, MaskOrigin
from helpers.runs.mask_origins import MaskOrigins

BASE = MaskBase(BeganFrom.PREDICTION, config="c", weights="w", mask_sha256="none", further_configs=("d",))
SENT = {"x": ExportedMask(MaskOrigin.CORRECTED, "m", (BASE,)), "y": ExportedMask(MaskOrigin.PREDICTED, "none", ())}
PATH = Path("run/run.json")
ORIGINS = MaskOrigins(("c", "d"), ("w",), {"x": ("m",)})


def truth(digest="t", **of_base):
    return ExportedMask(MaskOrigin.CORRECTED, digest, (MaskBase(BeganFrom.PREDICTION, **of_base),))


def test_a_configuration_holds_them_and_older_ones_hold_none():
    found = MaskOrigins.of(SENT, {"x": "none", "y": "none"})  # an empty mask is of no one run
    assert found == ORIGINS and MaskOrigins.of_config(found.to_config(), PATH) == found
    assert not MaskOrigins.of_config({}, PATH) and MaskOrigins().to_config() == {}


def test_ground_truth_shares_runs_models_and_the_masks_of_its_own_case():
    assert ORIGINS.share("x", truth(config="d")) and ORIGINS.share("x", truth(weights="w"))
    assert ORIGINS.share("x", truth("m")) and ORIGINS.share("x", truth(mask_sha256="m"))
    assert not ORIGINS.share("y", truth("m")) and not ORIGINS.share("x", truth(config="e", weights="v"))


@pytest.mark.parametrize("given", [3, {"masks": ["x"]}, {"configs": 3}])
def test_anything_else_is_refused(given):
    with pytest.raises(RefusedInput, match="run/run.json: expected mask_origins with configs, weights and masks"):
        MaskOrigins.of_config({"mask_origins": given}, PATH)
