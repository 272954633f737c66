"""The demo model's recipe, a few iterations of each round with the fixture's sizes."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.checkpoints.read.weight_source import open_source
from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import SynthGenerator
from helpers.dev.demo.recipe import Round, TrainingRecipe, train_demo
from helpers.dev.demo.untrained_base import FIXTURE
from helpers.train.fine_tuning.shape_losses import ShapeLoss

SHORT = TrainingRecipe(
    sequences=1,
    frames=1,
    base=(
        Round(2, 1, 1e-3, 1e-4, 1, 5, 1),
        Round(
            *(3, 1, 1e-3, 1e-5, 1, 6, 2),
            generator=SynthGenerator.SECOND,
            mask_side=128,
            shapes=((ShapeLoss.CENTRELINE, 0.5),),
        ),
    ),
    lora=Round(2, 1, 1e-3, 1e-5, 1, 5, 1),
    rank=2,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("helpers.dev.demo.recipe.DEMO", FIXTURE)
        files = train_demo(folder, SHORT, workers=1)
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("iter_*.pth")}
        train_demo(folder, SHORT, workers=1)
    return folder, files, before


@pytest.mark.endurance
def test_base_and_checkpoint_convert_like_a_users(trained, tmp_path):
    _, files, _ = trained
    assert files.checkpoint.name == "iter_2.pth"
    convert(ConversionRequest(files.checkpoint, tmp_path / "model", files.base, files.sam2, str(files.sam2_sizes)))
    record = json.loads((tmp_path / "model/conversion.json").read_text())
    assert record["settings"]["lora_alpha"]["value"] == 4


def test_each_round_starts_from_what_the_one_before_left(trained):
    folder, files, _ = trained
    name, changed = "image_encoder.trunk.patch_embed.proj.weight", []
    tensors = [torch.load(folder / "start/base/sam2_base.pt", weights_only=True)["model"][name].float()]
    for path in (folder / "base_1/iter_2.pth", folder / "base_2/iter_3.pth"):
        with open_source(path) as source:
            tensors.append(source.read(f"grounding_encoder.sam2_model.{name}").float())
    for before, after in pairwise(tensors):
        changed.append(float((after - before).norm() / before.norm()))
    # A round that began anew would differ by about the square root of two.
    assert all(0 < one < 0.5 for one in changed), changed
    published = torch.load(files.sam2, weights_only=True)["model"][name]
    assert torch.equal(published, tensors[-1].bfloat16())


@pytest.mark.endurance
def test_a_recipe_goes_on_from_a_finished_model(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.dev.demo.recipe.DEMO", FIXTURE)
    _, files, _ = trained
    again = train_demo(tmp_path, replace(SHORT, base=(Round(2, 1, 0.0, 0.0, 1, 5, 1),)), workers=1, start=files)
    name = "image_encoder.trunk.patch_embed.proj.weight"
    before, after = (torch.load(one.sam2, weights_only=True)["model"][name] for one in (files, again))
    assert torch.equal(before, after)  # at a rate of nothing


def test_a_second_call_trains_nothing_again(trained):
    folder, files, before = trained
    files_of_rounds = {path: stamp for path, stamp in before.items() if files.folder not in path.parents}
    assert len(files_of_rounds) >= 3
    assert {path: path.stat().st_mtime_ns for path in files_of_rounds} == files_of_rounds


@pytest.mark.slow
@pytest.mark.endurance
def test_two_processes_train_the_base(tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.dev.demo.recipe.DEMO", FIXTURE)
    shared = replace(SHORT, base=(Round(2, 2, 1e-3, 1e-5, 1, 5, 1),))
    files = train_demo(tmp_path, shared, workers=1, processes=2)
    assert files.checkpoint.name == "iter_2.pth" and (tmp_path / "base_1/iter_2.pth").is_file()
    with pytest.raises(UsageProblem, match="expected one that divides the batch of 2 frames, got 3"):
        train_demo(tmp_path, shared, processes=3)


def test_what_is_published_is_small_and_names_no_folder_of_this_machine(trained):
    folder, files, _ = trained
    content = torch.load(files.checkpoint, weights_only=True)
    assert set(content) == {"meta", "state_dict"}
    assert all(tensor.dtype is torch.bfloat16 for tensor in content["state_dict"].values())
    for path in files.folder.rglob("*"):
        if path.is_file():
            assert str(folder).encode() not in path.read_bytes(), path.name
    assert json.loads((files.folder / "training.json").read_text())["recipe"]["rank"] == 2
