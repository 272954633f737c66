import pytest
import torch

from helpers.checkpoints.read.training_folder import (
    is_training_folder,
    list_checkpoints,
    read_last_checkpoint_name,
    refuse_deepspeed,
)
from helpers.checkpoints.read.weight_source import open_source
from helpers.core.errors import RefusedInput


def test_checkpoints_are_ordered_by_number(tmp_path):
    for name, size in {"iter_1000.pth": 3, "iter_200.pth": 2, "epoch_1.pth": 5, "best.pth": 1, "iter_x.pth": 1}.items():
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "last_checkpoint").write_text("C:\\runs\\iter_1000.pth\n")
    found = list_checkpoints(tmp_path)
    assert [item.path.name for item in found] == ["iter_200.pth", "iter_1000.pth", "epoch_1.pth"]
    assert [item.size for item in found] == [2, 3, 5]
    assert [item.iteration for item in found] == [200, 1000, None]
    assert [item.epoch for item in found] == [None, None, 1]
    assert [item.is_last for item in found] == [False, True, False]


def test_many_checkpoints_are_ordered_by_number(tmp_path):
    wanted = [*(f"iter_{number}.pth" for number in (4, 30, 70, 500, 6000, 10000)), "epoch_9.pth", "epoch_12.pth"]
    for name in sorted(wanted):
        (tmp_path / name).touch()
    assert [item.path.name for item in list_checkpoints(tmp_path)] == wanted


def test_a_checkpoint_before_the_first_step_is_the_first(tmp_path):
    for name in ("iter_1.pth", "iter_0.pth", "epoch_1.pth", "epoch_0.pth"):
        (tmp_path / name).write_bytes(b"")
    listed = [item.path.name for item in list_checkpoints(tmp_path)]
    assert listed == ["iter_0.pth", "iter_1.pth", "epoch_0.pth", "epoch_1.pth"]


def test_what_is_a_training_folder(tmp_path):
    assert not is_training_folder(tmp_path)
    assert not is_training_folder(tmp_path / "none")
    (tmp_path / "run" / "vis_data").mkdir(parents=True)
    (tmp_path / "run" / "vis_data" / "scalars.json").touch()
    assert is_training_folder(tmp_path)
    with pytest.raises(RefusedInput, match="without any checkpoint"):
        open_source(tmp_path)


@pytest.fixture
def deepspeed_folder(tmp_path):
    folder = tmp_path / "work dir" / "iter_500.pth"
    folder.mkdir(parents=True)
    (folder / "mp_rank_00_model_states.pt").write_bytes(b"x")
    (folder / "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt").write_bytes(b"x")
    (folder.parent / "latest").write_text("iter_500.pth")
    (folder.parent / "zero_to_fp32.py").write_text("")
    return folder


@pytest.mark.parametrize("inner", ["", "mp_rank_00_model_states.pt", ".."])
def test_deepspeed_is_refused_with_the_command(deepspeed_folder, inner):
    with pytest.raises(RefusedInput) as refusal:
        open_source((deepspeed_folder / inner).resolve())
    message = str(refusal.value)
    assert f"cd '{deepspeed_folder.parent}' && python zero_to_fp32.py . pytorch_model.bin --tag iter_500.pth" in message
    assert "is not there" not in message


def test_deepspeed_without_its_script(deepspeed_folder):
    (deepspeed_folder.parent / "zero_to_fp32.py").unlink()
    with pytest.raises(RefusedInput, match="zero_to_fp32.py is not there"):
        open_source(deepspeed_folder)


@pytest.mark.parametrize(
    "content", [{"module": {}, "ds_version": "0.16"}, {"optimizer_state_dict": {}, "ds_config": {}}]
)
def test_one_file_of_deepspeed_under_a_checkpoints_name(tmp_path, content):
    torch.save(content, tmp_path / "iter_9.pth")
    with pytest.raises(RefusedInput, match="iter_9.pth is one file of a DeepSpeed checkpoint, .* which it is called"):
        open_source(tmp_path / "iter_9.pth")


def test_older_deepspeed_with_rank_folders(tmp_path):
    (tmp_path / "tag" / "zero_pp_rank_0").mkdir(parents=True)
    with pytest.raises(RefusedInput, match="DeepSpeed checkpoint"):
        open_source(tmp_path / "tag")


@pytest.mark.parametrize("name", ["latest", "zero_to_fp32.py"])
def test_either_file_beside_deepspeed_folders_tells(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(RefusedInput, match=r"python zero_to_fp32\.py \. pytorch_model\.bin\n"):
        open_source(tmp_path)


def test_the_refusal_of_a_training_folder_names_its_checkpoints(tmp_path):
    for name in ("iter_1000.pth", "iter_200.pth"):
        (tmp_path / name).touch()
    (tmp_path / "last_checkpoint").write_bytes(b"/\xff/iter_1000.pth\nmore")
    with pytest.raises(RefusedInput) as refusal:
        open_source(tmp_path)
    assert "It holds iter_200.pth, iter_1000.pth (last). " in str(refusal.value)
    assert str(refusal.value).endswith(f"for example {tmp_path / 'iter_1000.pth'}.")


def test_a_folder_of_deepspeed_has_no_size(tmp_path):
    (tmp_path / "iter_5.pth").mkdir()
    (only,) = list_checkpoints(tmp_path)
    assert (only.size, only.iteration) == (None, 5)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("/run/iter_9.pth", "iter_9.pth"),
        (r"D:\run\iter_9.pth", "iter_9.pth"),
        ("  iter_9.pth  \nmore", "iter_9.pth"),
        ("", None),
        ("/run/", None),
        ("a" * 5000, "a" * 4096),
    ],
)
def test_the_last_checkpoint_by_its_name_alone(tmp_path, content, name):
    assert read_last_checkpoint_name(tmp_path) is None
    (tmp_path / "last_checkpoint").write_text(content)
    assert read_last_checkpoint_name(tmp_path) == name and is_training_folder(tmp_path)


@pytest.mark.parametrize("name", ["iter_5.pth", "epoch_5.pth"])
def test_one_checkpoint_makes_a_training_folder(tmp_path, name):
    for other in ("iter_5.pth.bak", "best_iter_5.pth", "iter_.pth"):
        (tmp_path / other).touch()
    assert not is_training_folder(tmp_path)
    (tmp_path / name).touch()
    assert is_training_folder(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt", "bf16_zero_pp_rank_3_x.pt"],
)
def test_a_file_of_deepspeed_tells_its_folder(tmp_path, name):
    (tmp_path / "step").mkdir()
    (tmp_path / "step" / name).touch()
    for path in (tmp_path / "step", tmp_path / "step" / name):
        with pytest.raises(
            RefusedInput, match=f"cd {tmp_path} && python zero_to_fp32.py . pytorch_model.bin --tag step"
        ):
            refuse_deepspeed(path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "zero_pp_rank.txt").touch()
    refuse_deepspeed(tmp_path / "other")
    refuse_deepspeed(tmp_path / "other" / "zero_pp_rank.txt")
