"""What notebooks do before their work: parameters from the namespace, names for results, paths that name nobody."""

import io
import sys
from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from helpers.checkpoints.verify import VerificationReport
from helpers.core import paths
from helpers.core.errors import UsageProblem, VesselkitError
from helpers.core.paths import Stage
from helpers.notebook import notebook_session
from helpers.stages import receipt_stage


class Settings(BaseModel):
    threshold: float = 0.5
    limit: int = 0


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    return tmp_path.resolve()


def complete(root, name, project="demo"):
    folder = root / "outputs" / project / "convert" / name
    folder.mkdir(parents=True)
    (folder / "conversion.json").write_text("{}")
    return folder


def test_parameters_are_the_public_plain_variables():
    namespace = {"threshold": 0.3, "io": io, "print": print, "Settings": Settings, "_hidden": 1, "In": [], "Out": {}}
    assert notebook_session.read_parameters(Settings, namespace) == Settings(threshold=0.3)


def test_an_unknown_variable_is_an_unknown_parameter():
    with pytest.raises(UsageProblem, match=r"treshold: unknown parameter, did you mean threshold\?"):
        notebook_session.read_parameters(Settings, {"treshold": 0.3})


def test_a_wrong_type_is_refused():
    with pytest.raises(UsageProblem, match=r"threshold: .*got 'abc' \(str\)"):
        notebook_session.read_parameters(Settings, {"threshold": "abc"})


def test_reading_again_in_a_running_kernel_passes_over_the_work_of_later_cells():
    namespace = {"In": ["", "threshold: float = 0.3", "read"], "threshold": 0.3}
    notebook_session.read_parameters(Settings, namespace)
    namespace |= {"record": 1, "threshold": 0.4, "In": [*namespace["In"], "record = 1", "%magic", "threshold = 0.4"]}
    assert notebook_session.read_parameters(Settings, namespace).threshold == 0.4


def test_reading_again_sees_a_misspelt_name_once_and_no_more_when_it_was_corrected():
    namespace = {"In": ["", "threshold = 0.3", "read"], "threshold": 0.3}
    notebook_session.read_parameters(Settings, namespace)
    namespace |= {"In": [*namespace["In"], "threshold = 0.3\nlimt: int = 3", "read"], "limt": 3}
    with pytest.raises(UsageProblem, match=r"limt: unknown parameter, did you mean limit\?"):
        notebook_session.read_parameters(Settings, namespace)
    namespace |= {"In": [*namespace["In"], "threshold = 0.3\nlimit: int = 3", "read"], "limit": 3}
    assert notebook_session.read_parameters(Settings, namespace).limit == 3


def test_outside_a_notebook_the_callers_globals_count(monkeypatch):
    assert "IPython" in sys.modules and notebook_session.get_ipython() is None
    code = "threshold = 0.25\nfound = read(Settings)"
    scope = {"read": notebook_session.read_parameters, "Settings": Settings}
    exec(code, scope)
    assert scope["found"].threshold == 0.25


def test_a_result_never_takes_the_place_of_another(root):
    first = notebook_session.result_folder("demo", Stage.CONVERT, None, fallback="iter_3672")
    assert first.path == root / "outputs/demo/convert/iter_3672" and str(first) == "outputs/demo/convert/iter_3672"
    complete(root, "iter_3672")
    complete(root, "iter_3672-2")
    third = notebook_session.result_folder("demo", Stage.CONVERT, "iter_3672", fallback="unused")
    assert third.path.name == "iter_3672-3" and not third.path.exists()
    assert str(third) == "outputs/demo/convert/iter_3672-3 (iter_3672 exists already and is kept)"


def test_a_resumable_result_keeps_its_name_when_it_is_there(root):
    (root / "outputs/demo/predict/a").mkdir(parents=True)
    place = notebook_session.resumable_folder("demo", Stage.PREDICT, "a")
    assert place.path == root / "outputs/demo/predict/a" and "is kept" not in str(place)
    assert notebook_session.resumable_folder("demo", Stage.PREDICT, None).path.parent == root / "outputs/demo/predict"


@pytest.mark.parametrize(
    ("fallback", "name"), [("my run (1)", "my-run-1-"), ("..", "result"), ("_x", "x"), ("a" * 200, "a" * 100)]
)
def test_any_stem_makes_a_plain_name(root, fallback, name):
    assert notebook_session.result_folder("demo", Stage.CONVERT, None, fallback).path.name == name


def test_the_model_is_the_named_one_or_the_latest_complete_conversion(root):
    with pytest.raises(UsageProblem, match="convert.*pass -p model FOLDER"):
        notebook_session.choose_model("demo", None)
    folder = complete(root, "iter_1")
    (root / "outputs/demo/convert/iter_2").mkdir()
    assert str(notebook_session.choose_model("demo", None)) == (
        "outputs/demo/convert/iter_1 (the latest complete conversion of project demo)"
    )
    assert notebook_session.choose_model("demo", folder) == notebook_session.ChosenModel(folder, "as named")


def test_paths_outside_the_project_show_their_last_name_only(root, tmp_path_factory):
    assert notebook_session.shown_path(root / "a" / "b.txt") == "a/b.txt"
    assert notebook_session.shown_path(tmp_path_factory.getbasetemp() / "DOE" / "frames") == "frames"


def test_utc_name_is_a_plain_name_to_the_minute():
    assert len(notebook_session.utc_name()) == len("20261124-0731") and paths.plain_name(
        notebook_session.utc_name(), "name"
    )


def test_files_are_listed_and_folders_summed_up(root):
    run = root / "outputs/run"
    (run / "masks").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (run / "masks" / name).write_bytes(b"1234")
    (run / "manifest.json").write_bytes(b"x" * 1200)
    assert notebook_session.list_files(run) == [
        "outputs/run/manifest.json  1,200 bytes",
        "outputs/run/masks/  2 files, 8 bytes",
    ]


def test_findings_stop_a_notebook():
    notebook_session.require_verified(VerificationReport("m", ["1 file"], []))
    with pytest.raises(VesselkitError, match="FINDING: tensor missing: x"):
        notebook_session.require_verified(VerificationReport("m", [], ["tensor missing: x"]))


@pytest.mark.parametrize("is_another", [False, True])
def test_another_model_than_the_official_codes_stops_a_notebook(tmp_path, monkeypatch, is_another):
    asked = []

    def check(folder, receipt, opening):
        asked.append((folder, receipt, opening and opening.data))
        return SimpleNamespace(is_another=is_another, to_text=lambda: "what was found")

    monkeypatch.setattr(receipt_stage, "check_against_receipt", check)
    compared = notebook_session.compared_with_receipt
    assert compared(tmp_path, None, None) == "not compared with the official code: no receipt was given"
    if is_another:
        with pytest.raises(VesselkitError, match="what was found"):
            compared(tmp_path, tmp_path / "receipt.npz", None)
    else:
        assert compared(tmp_path, tmp_path / "receipt.npz", tmp_path) == "what was found"
    assert asked == [(tmp_path, tmp_path / "receipt.npz", None if is_another else tmp_path)]
