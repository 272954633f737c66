"""`import-masks` through the command line: an ordinary run, no names in it, refusals before anything is written."""

import errno

import numpy as np
import pytest
from PIL import Image

from helpers.runs.run_folder import open_run
from tests.support.drawn_angiograms import drawn_truth, save_mask, save_pairs
from tests.support.stored_masks import check_mask

TRUTHS = [drawn_truth(4, 40, 10), drawn_truth(4, 40, 20), drawn_truth(4, 40, 30)]
CALL = ("import-masks", "theirs", "--name", "nnunet", "--data", "data", "--output", "run")


@pytest.fixture
def drawn(tmp_path):
    save_pairs(tmp_path / "data", TRUTHS)
    for number, truth in enumerate(TRUTHS[:2], start=1):
        save_mask(np.roll(truth, 1, axis=0), tmp_path / "theirs" / f"Doe_Jane_{number}_pred.png")
    return tmp_path


def contents(run):
    return b"".join(path.read_bytes() for path in run.rglob("*") if path.suffix in {".json", ".parquet"})


def test_masks_become_a_run(call, drawn):
    (drawn / "theirs" / "other.png").write_bytes((drawn / "theirs" / "Doe_Jane_1_pred.png").read_bytes())
    ended = call(*CALL)
    assert ended.code == 0, ended.err
    assert "2 cases imported, 1 missing, 1 file of no case (number 3 of 3)\nvalues taken as mask (found" in ended.out
    assert ended.out.splitlines()[-1] == "next: vesselkit evaluate --predictions run --data data --output run-scores"
    assert "WARNING" not in ended.out and "Doe" not in ended.out + ended.err
    run = open_run(drawn / "run")
    expected = sorted(np.roll(truth, 1, axis=0).tobytes() for truth in TRUTHS[:2])
    assert sorted(run.mask(case_id, "p1").tobytes() for case_id in run.cases()) == expected
    assert [check_mask(run, case_id, "p1") for case_id in run.cases()] == [0, 0]
    assert b"Doe" not in contents(drawn / "run")
    values = run.config.values
    assert values["model"]["name"] == "nnunet" and values["predictor"]["missing"] == 1
    assert not values["predictor"]["values_stated"] and values["dataset"]["key_fingerprint"]
    assert call(*CALL).out == ended.out


def test_a_changed_mask_is_another_run(call, drawn):
    assert call(*CALL).code == 0
    save_mask(TRUTHS[0], drawn / "theirs" / "Doe_Jane_1_pred.png")
    ended = call(*CALL)
    assert ended.code == 3 and "model.masks_sha256: the run has" in ended.err


def test_an_import_that_was_stopped_goes_on(call, drawn):
    call(*CALL)
    before = contents(drawn / "run" / "parts")
    (drawn / "run/manifest.json").unlink()
    next((drawn / "run/parts").iterdir()).unlink()
    assert call(*CALL).code == 0 and contents(drawn / "run" / "parts") == before
    assert len(open_run(drawn / "run").cases()) == 2


def test_a_full_disk_is_said_and_the_same_command_goes_on(call, drawn, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("helpers.prediction.imports.import_run.commit_case", full)
        ended = call(*CALL)
    assert ended.code == 1 and "the disk became full" in ended.err
    assert call(*CALL).code == 0


def test_an_import_is_mended_and_notices_other_frames(call, drawn):
    assert call(*CALL).code == 0
    before = open_run(drawn / "run")
    case_id = before.cases()[0]
    (drawn / f"run/masks/{case_id}/p1.png").unlink()
    for path in (drawn / "data/images").iterdir():
        frame = np.array(Image.open(path))
        Image.fromarray(255 - frame).save(path)
    assert call(*CALL).code == 0
    after = open_run(drawn / "run")
    assert check_mask(after, case_id, "p1") == 0
    assert not set(after.image_hashes.values()) & set(before.image_hashes.values())


def test_the_ground_truth_itself_is_called_out(call, drawn):
    for number, truth in enumerate(TRUTHS[:2], start=1):
        save_mask(truth, drawn / "theirs" / f"Doe_Jane_{number}_pred.png")
    ended = call(*CALL)
    assert ended.code == 0 and "WARNING: every mask equals the ground truth" in ended.out


def test_probabilities_and_a_threshold(call, drawn):
    for number in (1, 2):
        (drawn / "theirs" / f"Doe_Jane_{number}_pred.png").unlink()
        np.savez(drawn / "theirs" / f"Doe_Jane_{number}.npz", np.linspace(0, 1, 1600).reshape(40, 40))
    assert "values taken as probability (found out)" in call(*CALL, "--threshold", "0.75").out
    run = open_run(drawn / "run")
    assert [run.mask(case_id, "p1").sum() for case_id in run.cases()] == [400, 400]


def test_what_does_not_fit_is_refused_first(call, drawn):
    def refused(*arguments, code=3):
        ended = call(*CALL, *arguments)
        assert ended.code == code and not (drawn / "run").exists()
        return ended.err

    nameless = [part for place, part in enumerate(CALL) if "--name" not in CALL[max(place - 1, 0) : place + 1]]
    ended = call(*nameless, "--name", "../x")
    assert ended.code == 2 and "name: expected a short plain name" in ended.err and not (drawn / "run").exists()
    assert "threshold: expected a probability" in refused("--threshold", "1", code=2)
    save_mask(TRUTHS[0][:30], drawn / "theirs" / "Doe_Jane_3.png")
    assert "expected 40x40 pixels as its frame has, found 40x30" in refused()
    (drawn / "theirs" / "Doe_Jane_3.png").write_bytes(b"no image")
    assert "Export it again" in refused()
    np.savez(drawn / "theirs" / "Doe_Jane_3.npz", np.full((40, 40), 7.5))
    assert "expected one file for case" in refused()
    (drawn / "theirs" / "Doe_Jane_3.png").unlink()
    assert "expected probabilities from 0 to 1, found 7.5" in refused("--values", "probability")
    for path in (drawn / "theirs").iterdir():
        path.unlink()
    assert "found 0 files" in refused()


def test_what_nnu_net_leaves_imports_as_it_lies(call, drawn):
    for path in (drawn / "theirs").iterdir():
        path.unlink()
    for number, truth in enumerate(TRUTHS, start=1):
        share = np.where(np.roll(truth, 1, axis=0), 0.9, 0.2).astype(np.float32)
        np.savez_compressed(
            drawn / "theirs" / f"Doe_Jane_{number}.npz", probabilities=np.stack([1 - share, share])[:, None]
        )
        Image.fromarray(np.roll(truth, 1, axis=0).astype(np.uint8)).save(drawn / "theirs" / f"Doe_Jane_{number}.png")
        (drawn / "theirs" / f"Doe_Jane_{number}.pkl").write_bytes(b"never read")
        for part in ("images", "masks"):
            name = next((drawn / "data" / part).glob(f"Doe_Jane_{number}.*"))
            name.rename(name.with_name(f"Doe_Jane_{number}_0000{name.suffix}"))
    ended = call(*CALL)
    assert ended.code == 0, ended.err
    assert "3 cases imported, 0 missing, 0 files of no case\nvalues taken as probability (found out)" in ended.out
    assert "skipped: 3 PNG files beside an NPZ of probabilities of the same name, which was taken" in ended.out
    run = open_run(drawn / "run")
    expected = sorted(np.roll(truth, 1, axis=0).tobytes() for truth in TRUTHS)
    assert sorted(run.mask(case_id, "p1").tobytes() for case_id in run.cases()) == expected


@pytest.mark.parametrize("dtype", [np.uint16, np.int64])
def test_whole_numbers_up_to_255_are_stated_and_never_empty(call, drawn, dtype):
    for number in (1, 2):
        (drawn / "theirs" / f"Doe_Jane_{number}_pred.png").unlink()
        np.save(drawn / "theirs" / f"Doe_Jane_{number}.npy", (np.arange(1600).reshape(40, 40) // 7).astype(dtype))
    refused = call(*CALL)
    assert refused.code == 3 and "--values mask, probability or logit" in refused.err and not (drawn / "run").exists()
    ended = call(*CALL, "--values", "probability")
    assert ended.code == 0 and "probabilities were taken as shares of 255" in ended.out
    run = open_run(drawn / "run")
    assert {int(run.mask(case_id, "p1").sum()) for case_id in run.cases()} == {1600 - 128 * 7}
    assert run.config.values["predictor"]["values_full"] == 255


def test_masks_that_are_all_empty_are_warned_of_in_the_last_line(call, drawn):
    for number in (1, 2):
        save_mask(np.zeros_like(TRUTHS[0]), drawn / "theirs" / f"Doe_Jane_{number}_pred.png")
    ended = call(*CALL)
    assert ended.code == 0 and ended.out.splitlines()[-1].startswith("WARNING: all masks are empty (2)")


def test_masks_whose_vessel_and_background_are_swapped_are_warned_of_in_the_last_line(call, drawn):
    save_mask(~TRUTHS[0], drawn / "theirs" / "Doe_Jane_1_pred.png")
    ended = call(*CALL)
    assert ended.code == 0 and ended.out.splitlines()[-1].startswith("WARNING: 1 of 2 masks with more than 60%")
    assert "vessel and background are swapped" in ended.out and "next:" not in ended.out


def test_an_import_of_which_every_case_is_an_error_ends_with_1(call, drawn):
    """Logits that float32 cannot hold are infinite, so that no mask is told from them."""
    for path in (drawn / "theirs").iterdir():
        np.save(path.with_suffix(".npy"), np.where(np.asarray(Image.open(path)) > 0, 1e300, -1e300))
        path.unlink()
    ended = call(*CALL, "--values", "logit")
    assert ended.code == 1 and "every case ended in an error" in ended.out
    assert {row.status for row in open_run(drawn / "run").rows} == {"nan_logits"}
