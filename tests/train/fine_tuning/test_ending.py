"""A training that ends before its time: what is kept, what is said, and how it goes on."""

import errno
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.core.errors import RefusedInput, Stopped, UsageProblem, VesselkitError, exit_as_interrupted
from helpers.core.processes import only_process
from helpers.train.fine_tuning import training_runner
from helpers.train.fine_tuning.fine_tune import run_training
from helpers.train.fine_tuning.training_runner import explain_ending, last_checkpoint, refuse_earlier
from tests.support.tiny_sources import FIXTURES, copy_sources
from tests.train.fine_tuning.conftest import CONFIG, small_options
from tests.train.fine_tuning.test_fine_tune import assert_equal_tensors

ODD = "Gefäße 血管 {x} 'y' & z"


def checkpoints(folder, *names, pointer=None):
    for name in names:
        (folder / name).write_bytes(b"")
    if pointer is not None:
        (folder / "last_checkpoint").write_text(pointer)
    return folder


@pytest.mark.parametrize(
    ("pointer", "wanted"),
    [
        ("/on/another/machine/iter_2.pth", "iter_2.pth"),
        ("C:\\runs\\angio\\iter_2.pth\r\n", "iter_2.pth"),
        ("", "iter_10.pth"),  # the machine failed while it was written
        ("/x/iter_11.pth", "iter_10.pth"),
        (None, "iter_10.pth"),
    ],
)
def test_the_checkpoint_to_go_on_from_is_in_the_work_folder(tmp_path, caplog, pointer, wanted):
    checkpoints(tmp_path, "iter_2.pth", "iter_10.pth", "iter_11.pth.partial", pointer=pointer)
    assert last_checkpoint(tmp_path) == tmp_path / wanted
    assert ("resumes from iter_10.pth" in caplog.text) is (wanted == "iter_10.pth")


def test_a_folder_without_checkpoints_starts_anew_unless_one_was_lost(tmp_path):
    assert last_checkpoint(tmp_path / "none") is None and last_checkpoint(tmp_path) is None
    checkpoints(tmp_path, pointer="/x/iter_2.pth")
    with pytest.raises(RefusedInput, match=r"names iter_2.pth, but no checkpoint is there. Copy it back, or remove"):
        last_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (KeyboardInterrupt(), Stopped, "stopped; the last checkpoint is iter_2.pth, resume it with --resume"),
        (
            OSError(errno.EIO, "no answer", "x.pth"),
            VesselkitError,
            "x.pth: the disk or network drive failed (no answer)",
        ),
        (torch.OutOfMemoryError("CUDA"), VesselkitError, "the memory ran out; the last checkpoint is iter_2.pth"),
        (MemoryError(), VesselkitError, "--cfg-options train_dataloader.batch_size=1"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), VesselkitError, "the memory ran out"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), VesselkitError, "num_workers=0"),
    ],
)
def test_what_ends_a_training_is_told_with_what_is_kept(tmp_path, raised, kind, said):
    checkpoints(tmp_path, "iter_2.pth")
    with pytest.raises(kind) as found, explain_ending(tmp_path):
        raise raised
    assert said in str(found.value) and "iter_2.pth" in str(found.value)


def test_other_errors_go_on_and_nothing_kept_is_said_too(tmp_path):
    for error in (RuntimeError("of the model"), RefusedInput("no"), IsADirectoryError(errno.EISDIR, "no")):
        with pytest.raises(type(error)), explain_ending(tmp_path):
            raise error
    with pytest.raises(Stopped, match="no checkpoint was written yet, start anew"), explain_ending(tmp_path / "none"):
        raise KeyboardInterrupt


def test_an_earlier_training_is_not_written_over(tmp_path):
    refuse_earlier(tmp_path / "none")
    refuse_earlier(tmp_path)
    checkpoints(tmp_path, "iter_2.pth", "iter_4.pth")
    with pytest.raises(UsageProblem, match=r"found 2 checkpoints, the last iter_4.pth.*--resume"):
        run_training(CONFIG, work_dir=tmp_path, options=small_options())


def test_two_processes_never_train_in_one_folder(tmp_path):
    with only_process(tmp_path, "trains"), pytest.raises(VesselkitError, match="another process trains here; wait"):
        run_training(CONFIG, work_dir=tmp_path, options=small_options())


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc, which nobody can write to")
def test_a_read_only_place_is_refused_first():
    with pytest.raises(RefusedInput, match=r"/proc: cannot be written .*; name another folder"):
        run_training(CONFIG, work_dir=Path("/proc/training"), options=small_options())


def full_disk():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def scheduler():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("act", "kind", "said"),
    [
        (full_disk, VesselkitError, r"iter_4.pth: the disk became full; the last checkpoint is iter_2.pth.*Free some"),
        pytest.param(
            scheduler,
            Stopped,
            "stopped; the last checkpoint is iter_2.pth, resume it with --resume",
            marks=pytest.mark.endurance,
        ),
    ],
)
def test_a_fault_while_a_checkpoint_is_written_costs_nothing_before(trained, tmp_path, monkeypatch, act, kind, said):
    flush, calls = training_runner.flush, []

    def faulty(path):
        calls.append(path)
        if len(calls) == 2:
            act()
        flush(path)

    with monkeypatch.context() as patched, exit_as_interrupted():
        patched.setattr(training_runner, "flush", faulty)
        with pytest.raises(kind, match=said):
            run_training(CONFIG, work_dir=tmp_path, options=small_options())
    assert [path.name for path in tmp_path.glob("*.pth*")] == ["iter_2.pth"]
    (tmp_path / "iter_3.pth.partial").write_bytes(b"of a killed process")
    assert_equal_tensors(run_training(CONFIG, work_dir=tmp_path, resume=True, options=small_options()), trained)
    assert not list(tmp_path.glob("*.partial"))


def test_a_damaged_checkpoint_is_refused_with_the_one_before(trained, tmp_path):
    for name in ("iter_2.pth", "iter_4.pth", "last_checkpoint"):
        shutil.copy(trained.with_name(name), tmp_path)
    os.truncate(tmp_path / "iter_4.pth", 5000)
    with pytest.raises(RefusedInput, match=r"iter_4.pth .* Or move iter_4.pth away: --resume then resumes from iter_2"):
        run_training(CONFIG, work_dir=tmp_path, resume=True, options=small_options())


def test_a_frame_that_is_lost_is_told_by_its_case(tmp_path):
    for name in ("images", "masks"):
        shutil.copytree(FIXTURES / name, tmp_path / "data" / name)
    shutil.copy(FIXTURES / "dataset.json", tmp_path / "data")
    (tmp_path / "data/images/image_03.png").write_bytes(b"lost")
    given = {"train_dataloader.dataset.data": str(tmp_path / "data"), "train_dataloader.num_workers": 1}
    with pytest.raises(RefusedInput, match=r"^case image_03 cannot be read: .*; (the last|no) checkpoint") as found:
        run_training(CONFIG, work_dir=tmp_path / "work", options=small_options(**given))
    assert "\n" not in str(found.value) and str(tmp_path) not in str(found.value)


def test_names_of_any_kind_are_taken_and_come_back_from_the_checkpoint(tmp_path):
    place = tmp_path / ODD
    place.mkdir()
    sources = copy_sources(place / "sources")
    for name in ("images", "masks"):
        shutil.copytree(FIXTURES / name, place / "data set" / name)
    given = {
        "model.mllm.model_path": str(sources.base),
        "model.grounding_encoder.ckpt_path": str(sources.sam2),
        "model.grounding_encoder.cfg_path": str(sources.sizes),
        "train_dataloader.dataset.data": str(place / "data set"),
        "train_cfg.max_iters": 1,
        "param_scheduler": None,
    }
    options = {name: one for name, one in small_options(**given).items() if not name.startswith("param_scheduler.")}
    last = run_training(CONFIG, work_dir=place / "work", options=options)
    assert last == place / "work" / "iter_1.pth"
    convert(ConversionRequest(last, place / "model", sam2=sources.sam2, sam2_config=str(sources.sizes)))


def test_another_process_leaves_the_first_ones_half_written_checkpoint_alone(tmp_path, monkeypatch):
    (tmp_path / f"iter_4.pth{training_runner.PARTIAL_SUFFIX}").write_bytes(b"half")
    monkeypatch.setattr(training_runner, "is_main_process", lambda: False)
    training_runner.TrainingRunner.save_checkpoint(None, str(tmp_path), "iter_4.pth")
    assert [path.name for path in tmp_path.iterdir()] == [f"iter_4.pth{training_runner.PARTIAL_SUFFIX}"]
