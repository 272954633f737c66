"""The record beside exported masks."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import BeganFrom, Exported
from helpers.data.dataset import open_dataset
from helpers.data.exported_masks import (
    ExportedMask,
    ExportedMasks,
    MaskBase,
    MaskOrigin,
    exported_above,
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


def test_all_that_took_part_is_named_once():
    base = MaskBase(
        BeganFrom.CARRIED, "ann", config="c", weights="w", mask_sha256="m", click_weights=("v", "w"),
        further_configs=("d", "c"), further_weights=("v",),
    )  # fmt: skip
    assert (base.configs, base.all_weights) == (("c", "d"), ("w", "v"))
    assert ExportedMask(MaskOrigin.CORRECTED, "a", (base, MaskBase(BeganFrom.EMPTY), base)).digests == ("a", "m")


def test_the_record_of_a_file_lies_up_to_two_folders_above_it(tmp_path, monkeypatch):
    write_exported(tmp_path, ExportedMasks(Exported.MASKS, "key", MASKS))
    (tmp_path / "a/b/c").mkdir(parents=True)
    assert exported_above(tmp_path / "a/list.txt") == exported_above(tmp_path / "a/b") == read_exported(tmp_path)
    assert exported_above(tmp_path / "a/b/list.txt") is None
    monkeypatch.chdir(tmp_path / "a")
    assert exported_above(Path("list.txt")) is not None
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


LABELLED = {
    "labelme": {"imagePath": "../images/P1-F1.png", "shapes": [], "imageHeight": 8, "imageWidth": 8},
    "annotations": {
        "images": [{"id": 1, "file_name": "P1-F1.png", "width": 8, "height": 8}],
        "annotations": [],
        "categories": [{"id": 1, "name": "vessel"}],
    },
}


@pytest.mark.parametrize("what", [Exported.MASKS, Exported.CORRECTIONS])
@pytest.mark.parametrize("kind", ["masks", *LABELLED])
@pytest.mark.parametrize("place", ["pool/a", "pool/b/a", "pool"])
def test_a_folder_above_an_export_is_no_data_set(tmp_path, what, kind, place):
    folder = tmp_path / place
    for name in ("images", kind):
        (folder / name).mkdir(parents=True)
    Image.linear_gradient("L").resize((8, 8)).save(folder / "images/P1-F1.png")
    if kind == "masks":
        Image.new("1", (8, 8)).save(folder / "masks/P1-F1.png")
    else:
        (folder / kind / "P1-F1.json").write_text(json.dumps(LABELLED[kind]))
    write_exported(folder, ExportedMasks(what, None, MASKS))
    assert open_dataset(folder).exported.masks == MASKS
    if place == "pool":
        return
    with pytest.raises(RefusedInput, match=re.escape(f"{folder / 'exported.json'}. It says what")) as refused:
        open_dataset(tmp_path / "pool")
    assert f"name {folder} as the data set" in str(refused.value)


def test_a_mask_of_an_export_within_a_data_set_is_refused_and_an_unused_folder_is_not(tmp_path):
    for name in ("images", "masks", "sent"):
        (tmp_path / name).mkdir()
    Image.linear_gradient("L").resize((8, 8)).save(tmp_path / "images/P1-F1.png")
    Image.new("1", (8, 8)).save(tmp_path / "masks/P1-F1.png")
    write_exported(tmp_path / "sent", ExportedMasks(Exported.MASKS, None, MASKS))
    assert len(open_dataset(tmp_path).cases) == 1
    write_exported(tmp_path / "masks", ExportedMasks(Exported.MASKS, None, MASKS))
    with pytest.raises(RefusedInput, match="without an export of masks within it, found .*masks/exported.json"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"what": "x"}, {"masks": {"a": {}}}, {"masks": 3}])
def test_anything_else_is_refused(tmp_path, change):
    write_exported(tmp_path, ExportedMasks(Exported.MASKS, None, MASKS))
    path = tmp_path / "exported.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RefusedInput, match="exported.json: expected vesselkit.exported-masks version 1"):
        read_exported(tmp_path)
