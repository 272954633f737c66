"""The bench that notebook 02 shows."""

import os

import pytest

from helpers.core.paths import ROOT_VARIABLE
from helpers.notebook.run_tables import newest_bench


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return tmp_path / "outputs" / "demo" / "bench"


def test_without_a_bench_it_says_how_to_make_one(folder):
    found = newest_bench("demo")
    assert "vesselkit dev bench model --preset 8b --output outputs/demo/bench/8b" in found.words
    assert found.picture is None


def test_the_newest_is_shown(folder):
    for age, name in enumerate((".", "8b", "1b")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "bench.txt").write_text(f"bench of {name}")
        os.utime(folder / name / "bench.txt", (1000 - age, 1000 - age))
    (folder / "bench.png").touch()
    assert newest_bench("demo").words == "bench of ." and newest_bench("demo").picture == folder / "bench.png"
    os.utime(folder / "8b" / "bench.txt", (2000, 2000))
    assert newest_bench("demo").words == "bench of 8b" and newest_bench("demo").picture is None
