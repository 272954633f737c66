"""`export` of a run over DICOM frames and of its corrections, and no name in what is written."""

import gzip
import re

import numpy as np
import pytest
from pydicom import dcmread

from helpers.core.vocabulary import BeganFrom, Exchange
from helpers.data.dataset import open_dataset
from helpers.review.corrections.beginnings import beginning
from helpers.review.corrections.record import CorrectionTool
from helpers.review.corrections.store import CorrectionStore
from helpers.review.review_source import open_source
from helpers.runs.run_folder import open_run
from tests.data.exchange.test_dicom_seg import CONFORMANT, with_hidden_names
from tests.support.dicom_files import PLANTED, angiogram, write
from tests.support.review_runs import tube

EXPORT = ("export", "run", "--data", "data", "--as")


@pytest.fixture
def predicted(call, tmp_path):
    """A cine of two frames and a single one of another patient, and a run over them."""
    grey = np.stack([170 - 90 * tube(bend, 63, 65) for bend in (0.1, 0.2)])
    write(tmp_path / "data/Quibblewick/cine.dcm", with_hidden_names(angiogram(grey, 8, **CONFORMANT)))
    write(tmp_path / "data/single.dcm", angiogram(grey[1], 8, PatientID="PID-77124"))
    ended = call("predict", "--model", "frangi", "--data", "data", "--output", "run")
    assert ended.code == 0, ended.err
    return open_run(tmp_path / "run")


def content(path):
    """The bytes of a file, unpacked where they are packed."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def stands_in(text, content):
    pattern = re.escape(text.encode())
    return re.search(rb"(?<!\d)" + pattern + rb"(?!\d)" if text.isdigit() else pattern, content) is not None


def names_in(folder, texts):
    """What of these texts stands in the names or the bytes of a folder's files.

    Numbers count where no digit stands beside them: new UIDs have forty digits, and any five among them now and then.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return sorted(
        {
            text
            for path in files
            for text in texts
            if stands_in(text, str(path.relative_to(folder)).encode()) or stands_in(text, content(path))
        }
    )


def segmentations(folder):
    return [dcmread(path) for path in sorted((folder / "segmentations").iterdir())]


def frames(folder):
    """The frames of all segmentations, (n, H, W)."""
    return np.concatenate([np.atleast_3d(seg.pixel_array.T).T for seg in segmentations(folder)])


def test_predictions_and_corrections_go_out_as_segmentations_without_a_name(call, predicted, tmp_path):
    ended = call(*EXPORT, "dicom-seg", "--output", "out")
    assert ended.code == 0 and ended.out.splitlines()[0] == f"3 masks written to {tmp_path / 'out'}", ended.err
    masks = [predicted.mask(case_id, "p1") for case_id in predicted.cases()]
    assert np.array_equal(frames(tmp_path / "out"), masks)
    ended = call(*EXPORT, "dicom-seg-fractional", "--output", "soft")
    assert ended.code == 0, ended.err
    assert np.array_equal(frames(tmp_path / "soft") >= 128, masks)
    dataset, store = open_dataset(tmp_path / "data"), CorrectionStore(tmp_path / "c")
    source = open_source(tmp_path / "run", dataset)
    cine = [frame.case_id for frame in dataset.frames if frame.path.name == "cine.dcm"]
    for case_id, tool in zip(cine, (CorrectionTool.BRUSH, CorrectionTool.THRESHOLD), strict=True):
        start = beginning(source, case_id, BeganFrom.EMPTY)
        store.save(start.record("ann", ~start.mask, tools=[tool]), ~start.mask)
    ended = call(*EXPORT, "dicom-seg", "--what", "corrections", "--corrections", "c", "--output", "drawn")
    assert ended.code == 0, ended.err
    (drawn,) = segmentations(tmp_path / "drawn")
    assert drawn.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC" and drawn.pixel_array.all()
    for folder in ("out", "soft", "drawn"):
        assert list((tmp_path / folder / "frames").iterdir())
        for path in (tmp_path / folder).rglob("*.*"):
            assert not [name for name in PLANTED if name in str(path) or name.encode() in path.read_bytes()]
    ended = call(*EXPORT, "dicom-seg", "--identity", "source", "--output", "named")
    assert ended.code == 0 and "2 segmentations with the patient's identity" in ended.out
    assert {seg.PatientID for seg in segmentations(tmp_path / "named")} == {PLANTED[1], "PID-77124"}
    ended = call("import", "out", "--into", "run", "--name", "back", "--data", "data", "--output", "back")
    assert ended.code == 0, ended.err
    again = open_run(tmp_path / "back")
    assert np.array_equal([again.mask(case_id, "p1") for case_id in predicted.cases()], masks)
    as_run = ("--into", "run", "--name", "soft", "--data", "data", "--output", "again")
    ended = call("import", "soft", *as_run)
    assert ended.code == 3 and "Say it with --threshold" in ended.err
    ended = call("import", "soft", *as_run, "--threshold", "1.5")
    assert ended.code == 2 and "threshold: expected a probability" in ended.err
    assert call("import", "soft", *as_run, "--threshold", "0.5").code == 0
    assert np.array_equal([open_run(tmp_path / "again").mask(one, "p1") for one in predicted.cases()], masks)
    given = ("--into", "corrections", "--data", "data", "--predictions", "run", "--reviewer", "bob", "--output", "c")
    ended = call("import", "out", *given, "--began-from", "prediction")
    assert ended.code == 0 and "3 masks without a change" in ended.out, ended.err
    drawn.PixelData = b"\0" + drawn.PixelData[1:]
    drawn.save_as(drawn.filename)
    ended = call("import", "drawn/segmentations", *given, "--began-from", "empty")
    assert ended.code == 0 and ended.out.startswith("1 correction kept\n1 mask without a change"), ended.err
    kept = CorrectionStore(tmp_path / "c")
    assert kept.mask(kept.standing()["bob"][cine[0]]).sum() == 63 * 65 - 8


def test_no_name_leaves_in_any_format_whatever_is_exported(call, predicted, tmp_path):
    """Names of patients, staff and places, dates, numbers and UIDs stand in headers, private elements and paths."""
    headers = [dcmread(path) for path in (tmp_path / "data").rglob("*.dcm")]
    uids = [
        str(one[name].value) for one in headers for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    ]
    texts = [*PLANTED, "uibble", "UIBBLE", "77123", "77124", "Zeno", "20200102", "cine.dcm", *uids]
    dataset, store = open_dataset(tmp_path / "data"), CorrectionStore(tmp_path / "c")
    source = open_source(tmp_path / "run", dataset)
    for case_id in predicted.cases():
        start = beginning(source, case_id, BeganFrom.PREDICTION)
        store.save(start.record("ann", ~start.mask, tools=[CorrectionTool.BRUSH]), ~start.mask)
    corrected = ("--what", "corrections", "--corrections", "c")
    asked = {f"masks-{kind}": ("--as", kind) for kind in Exchange}
    asked |= {f"corrections-{kind}": ("--as", kind, *corrected) for kind in (Exchange.PNG, Exchange.LABELME)}
    asked["source"] = ("--as", Exchange.DICOM_SEG, "--identity", "source")
    asked["pairs"] = ("--what", "pairs", "--corrections", "c", "--margin", "0.1")
    for name, words in asked.items():
        ended = call("export", "run", "--data", "data", *words, "--output", name)
        assert ended.code == 0, ended.err
        assert not [text for text in texts if text in ended.out]
    found = {name: names_in(tmp_path / name, texts) for name in ("run", "c", *asked)}
    assert PLANTED[1] in found.pop("source")
    assert {name: leaked for name, leaked in found.items() if leaked} == {}
