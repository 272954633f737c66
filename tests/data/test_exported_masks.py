"""The record beside exported masks."""

import json
from pathlib import Path

import pytest

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import BeganFrom, Exported
from helpers.data.exported_masks import (
    ExportedMask,
    ExportedMasks,
    MaskBase,
    MaskOrigin,
    read_exported,
    write_exported,
)

BASE = MaskBase(BeganFrom.PREDICTION, "ann", "run", "config", "p1", "weights", "mask", 3.5, False)
MASKS = {
    "P1-F1": ExportedMask(MaskOrigin.CORRECTED, "a", (BASE, MaskBase(BeganFrom.EMPTY, "bob")), "P1"),
    "P2-F1": ExportedMask(MaskOrigin.ACCEPTED, "b", (BASE,)),
}


def test_a_record_comes_back(tmp_path):
    assert read_exported(tmp_path) is None
    exported = ExportedMasks(Exported.CORRECTIONS, "key", MASKS, "ann", True, {"readers differ": ("x",)})
    write_exported(tmp_path, exported)
    assert read_exported(tmp_path) == exported and exported.are_truth
    assert not ExportedMasks(Exported.MASKS, None, {}).are_truth


def test_what_it_began_from_is_told_by_weights_or_configuration():
    mask = MASKS["P1-F1"]
    assert mask.began_from(None, "weights") and mask.began_from("config", "other")
    assert not mask.began_from("other", "other") and not mask.began_from(None, None)
    assert not ExportedMask(MaskOrigin.CORRECTED, "a", (MaskBase(BeganFrom.TRUTH, "ann"),)).began_from(None, None)


def test_a_model_that_answered_clicks_is_one_that_it_began_from(tmp_path):
    mask = ExportedMask(MaskOrigin.CORRECTED, "a", (MaskBase(BeganFrom.EMPTY, "ann", click_weights=("weights",)),))
    assert mask.began_from(None, "weights") and not mask.began_from("config", "other")
    exported = ExportedMasks(Exported.CORRECTIONS, None, {"P1-F1": mask})
    write_exported(tmp_path, exported)
    assert read_exported(tmp_path) == exported


def test_a_further_run_is_one_that_it_began_from(tmp_path):
    base = MaskBase(BeganFrom.EMPTY, "ann", further_configs=("config",), further_weights=("weights",))
    mask = ExportedMask(MaskOrigin.CORRECTED, "a", (base,))
    assert mask.began_from(None, "weights") and mask.began_from("config", None)
    assert not mask.began_from("weights", "config")
    exported = ExportedMasks(Exported.CORRECTIONS, None, {"P1-F1": mask})
    write_exported(tmp_path, exported)
    assert read_exported(tmp_path) == exported


@pytest.mark.parametrize("name", ["images/P1-F1.png", "imagesTr/P1-F1_0000.png", "images/P1-F1.nii.gz"])
def test_a_file_finds_its_case_under_the_names_of_every_format(name):
    exported = ExportedMasks(Exported.CORRECTIONS, None, MASKS)
    assert exported.of_file(Path(name)) == "P1-F1" and exported.of_file(Path("images/P3-F1.png")) is None


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"what": "x"}, {"masks": {"a": {}}}, {"masks": 3}])
def test_anything_else_is_refused(tmp_path, change):
    write_exported(tmp_path, ExportedMasks(Exported.MASKS, None, MASKS))
    path = tmp_path / "exported.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RefusedInput, match="exported.json: expected vesselkit.exported-masks version 1"):
        read_exported(tmp_path)
