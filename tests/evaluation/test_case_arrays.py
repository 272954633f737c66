"""From files to what is scored: pixel spacing of DICOM headers, and patients that nobody knows."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.cases import Case
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import Frame
from helpers.data.truth.ground_truth import BrokenTruth, MaskFileTruth
from helpers.data.truth.rescaled_truth import RescaledTruth
from helpers.evaluation.case_arrays import scorable
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from tests.support.dicom_files import angiogram, write
from tests.support.vessel_runs import SIDE, write_run

TRUTH = np.zeros((SIDE, SIDE), bool)
TRUTH[20:30, 10:50] = True


@pytest.fixture
def cine(tmp_path):
    """Two frames of a cine and one of another patient, without spacing, with masks beside them."""
    values = np.full((2, SIDE, SIDE), 512)
    write(tmp_path / "data/one.dcm", angiogram(values, PatientID="Q1", PixelSpacing=[0.5, 0.25]))
    write(tmp_path / "data/two.dcm", angiogram(values[0], PatientID="Q2"))
    Image.fromarray(TRUTH.astype(np.uint8) * 255).save(tmp_path / "truth.png")
    data = open_dataset(tmp_path / "data", id_key=tmp_path / "id.key")
    truth = MaskFileTruth(tmp_path / "truth.png")
    return replace(data, cases=tuple(replace(case, truth=truth) for case in data.cases))


def test_distances_in_mm_come_from_the_header(cine, tmp_path):
    shifted = np.roll(TRUTH, 2, axis=1)
    known = {"key_fingerprint": cine.key_fingerprint}
    run = write_run(tmp_path / "run", {case.case_id: shifted for case in cine.cases}, dataset=known)
    evaluate([run], cine, tmp_path / "m", processes=1, draws=100)
    table = open_metrics(tmp_path / "m").scores("run").set_index("case_id")
    one = [case.case_id for case in cine.cases if case.frame.path.name == "one.dcm"]
    (two,) = set(table.index) - set(one)
    assert (table.loc[one, "pixel_height_mm"] == 0.5).all() and (table.loc[one, "pixel_width_mm"] == 0.25).all()
    # Most of the outline is moved along itself; its ends are off by 2 px, which are 0.5 mm.
    assert (table["hd95_px"] == 2).all() and table.loc[one, "hd95_mm"].tolist() == [0.5, 0.5]
    assert (table.loc[one, "nsd_0.5mm"] == 1).all()
    assert np.isnan(table.loc[two, "hd95_mm"]) and np.isnan(table.loc[two, "nsd_0.5mm"])


def test_the_header_of_a_cine_is_read_once(cine, monkeypatch):
    read = []

    def counted(path):
        read.append(path.name)
        return False

    monkeypatch.setattr("helpers.evaluation.case_arrays.is_dicom", counted)
    found = scorable(cine, [case.case_id for case in cine.cases], [])
    assert len(found) == 3 and sorted(read) == ["one.dcm", "two.dcm"] and {one.spacing_mm for one in found} == {None}


def test_truths_that_do_not_fit_their_frames_are_refused_together(tmp_path):
    path = tmp_path / "frame.png"
    Image.new("L", (30, 12)).save(path)

    def checked(*truths, read=()):
        cases = tuple(Case(Frame(f"c{number}", path), truth) for number, truth in enumerate(truths))
        rows = [SimpleNamespace(case_id=case_id, width=width, height=height) for case_id, width, height in read]
        return scorable(SimpleNamespace(cases=cases), [case.case_id for case in cases], [SimpleNamespace(rows=rows)])

    fitting, unsized = SimpleNamespace(size=[30, 12]), SimpleNamespace(size=None)
    rescaled = RescaledTruth(SimpleNamespace(size=(3, 4)), (3, 4))
    assert [case.size for case in checked(fitting, unsized, rescaled)] == [(30, 12)] * 3
    assert checked(SimpleNamespace(size=(9, 8)), read=[("c0", 9, 8)])[0].size == (9, 8)
    assert checked(fitting, read=[("c0", None, None)])[0].size == (30, 12)
    with pytest.raises(RefusedInput, match="found 1 that do not, the first c1: made for 12x30, the frame is 30x12"):
        checked(fitting, SimpleNamespace(size=(12, 30)))
    with pytest.raises(RefusedInput, match="found 2 that do not, the first c0: torn"):
        checked(BrokenTruth("torn"), SimpleNamespace(size=(12, 30)))
    assert "frame.png" not in repr(checked(fitting))  # a file's name may be a patient's


def write_unknown(folder, count):
    """Frames that are numbered through, as in coronary40: nothing says which are of one patient."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(1, count + 1):
        name = f"{number}.png"
        Image.fromarray(np.where(TRUTH, 90, 170).astype(np.uint8)).save(folder / "images" / name)
        Image.fromarray(TRUTH.astype(np.uint8) * 255).save(folder / "masks" / name)
    (folder / "dataset.json").write_text('{"ids": "public", "layout": "paired"}')
    return open_dataset(folder)


def test_unknown_independence_is_said_in_the_table(tmp_path):
    data = write_unknown(tmp_path / "data", 12)
    assert data.cases[0].frame.patient is None
    rolled = {case.case_id: np.roll(TRUTH, number % 3, axis=1) for number, case in enumerate(data.cases)}
    found = evaluate([write_run(tmp_path / "run", rolled)], data, tmp_path / "m", processes=1, draws=100)
    headline = found.text.split("## Headline")[1].split("## ")[0]
    assert "Mean of case means" in headline
    assert "| **warning:** patients are not known for every case: cases are taken as independent" in headline
    assert "12 cases, sequences unknown, patients unknown" in headline
    row = found.summary["runs"][0]["summary"][0]
    assert row["independent"] is False and row["unit"] == "case" and row["n_units"] == 12 and row["n_patients"] is None


def test_a_run_made_anew_in_the_same_folder_is_read_anew(tmp_path):
    data = write_unknown(tmp_path / "data", 2)
    masks = {case.case_id: TRUTH for case in data.cases}
    for number, given in enumerate((dict.fromkeys(masks), masks)):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        run = write_run(tmp_path / "run", given)
        found = evaluate([run], data, tmp_path / "m", processes=1, draws=100)
        assert found.summary["runs"][0]["outcomes"]["scored"] == 2 * number


def test_the_forty_are_such_a_set(shared, tmp_path):
    data = open_dataset(shared / "data" / "coronary40", id_key=tmp_path / "id.key")
    chosen = replace(data, cases=data.cases[:3])
    sizes = {case.case_id: Image.open(case.frame.path).size for case in chosen.cases}
    cases = scorable(chosen, list(sizes), [])
    assert [case.size for case in cases] == list(sizes.values())
    assert {case.frame.patient for case in data.cases} == {None}
