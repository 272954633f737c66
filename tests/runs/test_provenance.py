"""Under which versions cases were computed, and words for cases of several."""

import json
from importlib.metadata import version

import torch

import helpers
from helpers.runs.finishing import MANIFEST_NAME, finish_run
from helpers.runs.provenance import making, making_text, making_words, mixture
from tests.support.small_run import CASES, write_run

OLD = {"vesselkit": "0.1", "torch": "2.0", "gpu": None}
NEW = {"vesselkit": "0.1", "torch": "2.1", "gpu": "H200"}


def test_a_making_has_the_versions_of_this_process_and_the_gpu_that_computes(monkeypatch):
    found = making("cpu")
    assert found["torch"] == version("torch") and found["vesselkit"] == helpers.__version__ and found["gpu"] is None
    monkeypatch.setattr(torch.cuda, "get_device_name", {"cuda:1": "one"}.get)
    assert making("cuda:1")["gpu"] == "one"


def test_a_manifest_names_the_gpu_that_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=0: {"cuda:1": "second"}.get(device, "first"))
    folder = write_run(tmp_path / "run")
    for device, gpu in (("cpu", None), ("cuda:1", "second")):
        finish_run(folder, list(CASES), {}, device)
        assert json.loads((folder / MANIFEST_NAME).read_text())["machine"]["gpu"] == gpu


def test_cases_of_one_making_are_no_mixture():
    assert mixture({making_text(OLD): 4}) is None and mixture({None: 4}) is None and mixture({}) is None


def test_a_mixture_names_what_differs_with_counts_and_nothing_else():
    found = mixture({making_text(OLD): 3, making_text(NEW): 1})
    assert "3 of 4 cases with gpu none, torch 2.0; 1 of 4 cases with gpu H200, torch 2.1" in found
    assert "vesselkit" not in found


def test_what_is_not_known_is_said_as_such():
    found = mixture({None: 3, making_text(OLD): 1})
    assert "3 of 4 cases with no versions kept; 1 of 4 cases with" in found and "torch 2.0" in found
    assert making_words({}, ["torch"]) == "torch unknown"
