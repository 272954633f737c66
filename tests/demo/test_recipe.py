"""The demo model's recipe, a few iterations of each round with the fixture's sizes."""

import json

import pytest
import torch

from helpers.conversion import ConversionRequest, convert
from helpers.demo.base import FIXTURE
from helpers.demo.recipe import Round, TrainingRecipe, train_demo

SHORT = TrainingRecipe(
    sequences=1,
    frames=1,
    base=(Round(2, 1, 1e-3, 1, 5, 1), Round(3, 1, 1e-3, 1, 6, 2)),
    lora=Round(2, 1, 1e-3, 1, 5, 1),
    rank=2,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("helpers.demo.recipe.DEMO", FIXTURE)
        files = train_demo(folder, SHORT, workers=1)
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("iter_*.pth")}
        train_demo(folder, SHORT, workers=1)
    return folder, files, before


def test_base_and_checkpoint_convert_like_a_users(trained, tmp_path):
    _, files, _ = trained
    assert files.checkpoint.name == "iter_2.pth"
    convert(ConversionRequest(files.checkpoint, tmp_path / "model", files.base, files.sam2, str(files.sam2_sizes)))
    record = json.loads((tmp_path / "model/conversion.json").read_text())
    assert record["settings"]["lora_alpha"]["value"] == 4


def test_each_round_starts_from_the_base_that_the_one_before_left(trained):
    folder, files, _ = trained
    start, after, end = (
        torch.load(one, weights_only=True)["model"]
        for one in (folder / "start/base/sam2_base.pt", folder / "after_1/base/sam2_base.pt", files.sam2)
    )
    name = "image_encoder.trunk.patch_embed.proj.weight"
    assert not torch.equal(start[name], after[name])
    assert not torch.equal(after[name], end[name])


def test_a_second_call_trains_nothing_again(trained):
    folder, files, before = trained
    files_of_rounds = {path: stamp for path, stamp in before.items() if files.folder not in path.parents}
    assert len(files_of_rounds) >= 3
    assert {path: path.stat().st_mtime_ns for path in files_of_rounds} == files_of_rounds


def test_what_is_published_is_small_and_names_no_folder_of_this_machine(trained):
    folder, files, _ = trained
    content = torch.load(files.checkpoint, weights_only=True)
    assert set(content) == {"meta", "state_dict"}
    assert all(tensor.dtype is torch.bfloat16 for tensor in content["state_dict"].values())
    for path in files.folder.rglob("*"):
        if path.is_file():
            assert str(folder).encode() not in path.read_bytes(), path.name
    assert json.loads((files.folder / "training.json").read_text())["recipe"]["rank"] == 2
