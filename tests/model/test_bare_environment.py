"""Exported folders in environments that hold only torch, transformers, safetensors, pillow and numpy."""

import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from packaging.version import Version

from helpers.checkpoints.convert import convert
from tests.support.golden_cases import load_case, load_video
from tests.support.linked_packages import link_packages
from tests.support.tiny_sources import FIXTURES, family_sources

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests/support/bare_environment.py"
MODERN, OLD = version("transformers"), "4.57.6"
NEWEST = f"{MODERN}-or-later"  # the newest that the registry has and the package supports
# One of each kind; the environment of the tests has all calls, in test_modeling_sa2va.py.
CASES, VIDEO = ("img_b_seg2", "img_b_vp", "text_only"), "video8"
FAMILIES = ("internlm2", "qwen25vl", "qwen3vl")
TEXTS = ("Sure, it is [SEG].<|im_end|>", " two  spaces\n\n\ttab", "<p>artery</p> [SEG]<IMG_CONTEXT></img>")
# `make releases` asks for what the lock does not hold.
OTHER = pytest.param(NEWEST, marks=pytest.mark.releases)
FORBIDDEN = {"helpers", "mmengine", "torchvision", "peft"}

pytestmark = pytest.mark.bare


def common_python() -> Path:
    """Python of an environment with what does not depend on transformers."""
    return built_python("common", ("torch", "safetensors", "pillow", "numpy"))


@cache
def bare_python(transformers: str) -> Path:
    """Python of an environment with this transformers and the common one's packages."""
    common = common_python()
    if transformers == MODERN:
        return built_python(transformers, ("transformers",), common)
    wanted = f"transformers>={MODERN},<6" if transformers == NEWEST else f"transformers=={transformers}"
    return built_python(transformers, (wanted,), common, installed=True)


def built_python(
    name: str,
    packages: tuple[str, ...],
    common: Path | None = None,
    *,
    installed: bool = False,
    alone: tuple[str, ...] = (),
) -> Path:
    """Python of an environment built once in build/bare, which has `common`'s packages too.

    Its packages are those of the tests' own environment, or are `installed`. Skips where they cannot be. Those of
    `alone` are installed without what they require.
    """
    folder = ROOT / "build/bare" / "{}.{}".format(*sys.version_info) / name
    python, ready = folder / "bin/python", folder / "ready"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if ready.exists():
            return python
        venv.create(folder, clear=True)
        if common:
            (packages_of(python) / "common.pth").write_text(f"{packages_of(common)}\n", encoding="utf-8")
        if not installed:
            link_packages(packages, packages_of(python))
        else:
            install(python, packages)
            if alone:
                install(python, ("--no-deps", *alone))
        ready.touch()
    return python


def install(python: Path, packages: tuple[str, ...]) -> None:
    """Install packages into an environment, or skip the test.

    Without the tests' own path: installing is the one thing that may need a network, from which that keeps what tests
    start. What is imported is compiled then.
    """
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile", *packages]
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
    if done.returncode:
        pytest.skip(f"{packages} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")


def packages_of(python: Path) -> Path:
    return python.parents[1] / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"


@dataclass(frozen=True)
class Found:
    """What a job gave: facts, logits by the name of the call and their number, and what was said on standard error."""

    facts: dict
    logits: dict
    said: str


def run_jobs(jobs: list[dict], transformers: str, scratch: Path) -> dict[str, Found]:
    """Results of jobs by their names, in the bare environment. One process does all: most of the time is importing."""
    scratch.mkdir()
    (scratch / "jobs.json").write_text(json.dumps(jobs))
    done = subprocess.run(
        [bare_python(transformers), "-I", SCRIPT, scratch / "jobs.json", scratch],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=scratch, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {}
    for job in jobs:
        arrays = dict(np.load(scratch / f"{job['name']}.npz"))
        facts = json.loads(str(arrays.pop("facts")))
        if transformers == NEWEST:
            assert Version(facts["transformers"]) >= Version(MODERN)
        else:
            assert facts["transformers"] == transformers
        assert not FORBIDDEN & set(facts["modules"])
        found[job["name"]] = Found(facts, arrays, done.stderr)
    return found


def job(name: str, folder: Path, calls: list[dict], dtype: str | None = "float32", texts: tuple[str, ...] = ()) -> dict:
    return {"name": name, "folder": str(folder), "dtype": dtype, "calls": calls, "texts": texts}


def call(name: str, text: str, image: Path | None, **others) -> dict:
    given = {"past_text": "", "regions": None, **others}
    return {"name": name, "image": None if image is None else str(image), "text": text, **given}


def golden_calls(shared: Path) -> list[dict]:
    """Calls of the goldens: two masks, regions, text alone, and a sequence."""
    calls = []
    for name in CASES:
        case = load_case(shared, name)
        image = shared / "golden/tiny_qwen2" / case.facts["image"] if case.image else None
        regions = [[1, 320, 640], [60, 200], [100, 400]] if case.mask_prompts else None
        calls.append(call(name, case.facts["text"], image, past_text=case.facts["past_text"], regions=regions))
    video = load_video(shared, VIDEO)
    frames = [frame.filename for frame in video.frames]
    return [*calls, call(VIDEO, video.facts["text"], None, video=frames)]


@pytest.fixture(scope="module")
def golden_results(shared, converted_folder, tmp_path_factory):
    """Results of the golden calls by version of transformers."""
    scratch, jobs = (
        tmp_path_factory.mktemp("bare"),
        [job("golden", converted_folder("ckpt_lora"), golden_calls(shared))],
    )
    return cache(lambda transformers: run_jobs(jobs, transformers, scratch / transformers)["golden"])


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.golden
@pytest.mark.endurance  # the families below are looked at in these environments each time
@pytest.mark.parametrize("later", [MODERN, OTHER])
def test_all_versions_reach_the_goldens(shared, golden_results, later):
    """Of one source: all exports have the same code, and test_modeling_sa2va.py has the goldens of the others."""
    old, new = golden_results(OLD), golden_results(later)
    for found in (old, new):
        goldens_are_reached(shared, found)
    assert old.facts["rope"] == new.facts["rope"] and old.facts["rope"]["theta"] == 1e6
    assert old.facts["ids"] == new.facts["ids"]
    assert max(np.abs(old.logits[name] - new.logits[name]).max() for name in old.logits) < 1e-5


def goldens_are_reached(shared: Path, found: Found) -> None:
    for name in CASES:
        case = load_case(shared, name)
        assert found.facts["texts"][name] == case.facts["prediction"]
        for index in range(case.facts["n_masks"]):
            logits = found.logits[f"{name}/{index}"]
            assert np.abs(logits - case.arrays[f"logits_final_seg{index}"]).max() < 1e-4
            assert np.array_equal(logits > 0, case.mask(index))
    video, logits = load_video(shared, VIDEO), found.logits[f"{VIDEO}/0"]
    assert found.facts["texts"][VIDEO] == video.facts["prediction"]
    assert np.abs(logits[:, ::2, ::2] - video.arrays["logits_final_seg0"]).max() < 1e-3
    assert ((logits > 0) != video.mask()).sum((1, 2)).max() <= 2
    assert len(found.logits) - 1 == sum(load_case(shared, name).facts["n_masks"] for name in CASES) >= 2


@pytest.fixture(scope="module")
def family_jobs(tmp_path_factory, fixture_folder_bfloat16):
    """Jobs on the kit's own models: each recorded call of three families, a sequence, and a load as it is stored."""
    folder, jobs = tmp_path_factory.mktemp("families"), []
    for family in FAMILIES:
        convert(family_sources(family).request(folder / family))
        calls = [
            call(name, facts["prompt"], facts["image"] and FIXTURES / "images" / facts["image"])
            for name, facts in recorded(family).items()
        ]
        if family != "internlm2":
            calls.append(call(VIDEO, "blood vessel", None, video=[str(FIXTURES / "images/image_01.png")] * 3))
        jobs.append(job(family, folder / family, calls))
    return [*jobs, job("stored", fixture_folder_bfloat16, [], dtype=None, texts=TEXTS)]


@pytest.fixture(scope="module")
def family_results(family_jobs, tmp_path_factory):
    """Results of these jobs by version of transformers."""
    scratch = tmp_path_factory.mktemp("bare")
    return cache(lambda transformers: run_jobs(family_jobs, transformers, scratch / transformers))


def recorded(family: str) -> dict[str, dict]:
    return json.loads((FIXTURES / family / "recorded.json").read_text())["cases"]


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.parametrize("later", [MODERN, OTHER])
def test_all_families_say_and_mark_the_same_in_all_versions(family_results, later):
    older, newer = family_results(OLD), family_results(later)
    for family in FAMILIES:
        families_agree(family, older[family], newer[family])
    ids = newer["internlm2"].facts["ids"]
    assert {one[0] for one in ids} == {1}  # <s>
    assert newer["internlm2"].facts["rope"]["type"] == "dynamic"
    a_bare_load_takes_the_stored_dtype_or_warns(older["stored"], newer["stored"])
    the_slow_tokenizer_of_version_4_gives_the_same_ids(older["stored"])


def families_agree(family: str, old: Found, new: Found) -> None:
    texts = {name: facts["text"] for name, facts in recorded(family).items()}
    assert old.facts["texts"] == new.facts["texts"] and texts.items() <= new.facts["texts"].items()
    assert old.facts["ids"] == new.facts["ids"] and old.facts["rope"] == new.facts["rope"]
    assert set(old.logits) == set(new.logits)
    assert len(old.logits) == 4 if family == "internlm2" else len(old.logits[f"{VIDEO}/0"]) == 3
    for name, logits in old.logits.items():
        assert np.array_equal(logits > 0, new.logits[name] > 0)
        # Versions add in another order, which shows in the fifth digit where a mask's edge is steep.
        assert np.allclose(logits, new.logits[name], rtol=1e-4, atol=1e-4)


def a_bare_load_takes_the_stored_dtype_or_warns(old: Found, new: Found) -> None:
    assert (old.facts["dtype"], new.facts["dtype"]) == ("torch.float32", "torch.bfloat16")
    for words in ("loading bfloat16 weights as float32", "Pass dtype=torch.bfloat16"):
        assert words in old.said and words not in new.said


def the_slow_tokenizer_of_version_4_gives_the_same_ids(old: Found) -> None:
    assert len(old.facts["slow_and_fast"]) == len(TEXTS)
    for slow, fast in old.facts["slow_and_fast"]:
        assert (slow[0], fast[0]) == (False, True) and slow[1] == fast[1]
