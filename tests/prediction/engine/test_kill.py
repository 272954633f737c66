"""kill -9 at any moment costs at most the batches at work: the resumed run is the uninterrupted one, byte for byte."""

import json
import sys
import time

import pytest

from helpers.checkpoints.convert import convert
from helpers.cli.app import main
from tests.support.fixture_model import command, draw_angiograms, run, start
from tests.support.run_files import run_files
from tests.support.tiny_sources import family_sources

pytestmark = pytest.mark.slow


@pytest.mark.longest
@pytest.mark.endurance
@pytest.mark.parametrize("asked", ["shared", "own"])
def test_kills_at_random_moments(fixture_folder, tmp_path, asked):
    data = draw_angiograms(tmp_path / "data", 30)
    driver = [
        sys.executable,
        "-m",
        "tests.support.kill_driver",
        str(fixture_folder),
        str(data),
        str(tmp_path),
        "10",
        asked,
    ]
    found = json.loads(run(driver).splitlines()[-1])
    assert found["kills"] == 10 and found["ended"]
    assert found["counts"][-1] > found["counts"][0] and len(set(found["counts"])) > 3, "kills at one moment only"
    assert all(found["equal"].values()), found["equal"]
    assert found["files"] >= 30 * 3


@pytest.mark.longest
@pytest.mark.endurance
@pytest.mark.parametrize("family", ["internlm2", "qwen25vl", "qwen3vl"])
def test_a_kill_in_every_family(family, tmp_path):
    convert(family_sources(family).request(tmp_path / "model"))
    data = draw_angiograms(tmp_path / "data", 5)
    driver = [sys.executable, "-m", "tests.support.kill_driver"]
    found = json.loads(run([*driver, *map(str, (tmp_path / "model", data, tmp_path, 1))]).splitlines()[-1])
    assert found["kills"] == 1 and found["ended"] and found["counts"][-1] < 5
    assert all(found["equal"].values()), found["equal"]
    assert found["files"] >= 5 * 3


def ends_well(*arguments):
    """The command in this process: importing takes longer than a run of a few frames."""
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    assert ended.value.code == 0


def test_a_kill_of_the_command(fixture_folder, tmp_path, capsys):
    data = draw_angiograms(tmp_path / "data", 8)
    arguments = ("predict", "--model", fixture_folder, "--data", data, "--batch-size", "2", "--output")
    ends_well(*arguments, tmp_path / "whole")
    process = start(command(*arguments, tmp_path / "run"))
    until = time.monotonic() + 120
    while len(list((tmp_path / "run").glob("parts/*.json"))) < 3:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    process.communicate()
    capsys.readouterr()
    ends_well(*arguments, tmp_path / "run")
    assert "8 ok" in capsys.readouterr().out
    assert run_files(tmp_path / "run") == run_files(tmp_path / "whole")


@pytest.mark.endurance
def test_a_kill_in_the_midst_of_a_sequence(fixture_folder, tmp_path):
    data = draw_angiograms(tmp_path / "data", 14)
    for number, path in enumerate(sorted(data.iterdir())):
        path.rename(data / f"P01_S{1 + number // 7:02d}_{number % 7:03d}.png")
    arguments = ("predict", "--model", fixture_folder, "--data", data, "--mode", "track", "--output")
    run(command(*arguments, tmp_path / "whole"))
    process = start(command(*arguments, tmp_path / "run"))
    until = time.monotonic() + 120
    while len(list((tmp_path / "run").glob("parts/*.json"))) < 9:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert len(list((tmp_path / "run").glob("parts/*.json"))) < 14
    run(command(*arguments, tmp_path / "run"))
    assert run_files(tmp_path / "run") == run_files(tmp_path / "whole")
