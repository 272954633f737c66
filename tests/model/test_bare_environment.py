"""Exported folders in environments that hold only torch, transformers, safetensors, pillow and numpy."""

import json
import os
import subprocess
import sys
import venv
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
from tests.support.tiny_sources import FIXTURES, internlm2_sources, qwen_vl_sources

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests/support/bare_environment.py"
MODERN, OLD = version("transformers"), "4.57.6"
NEWEST = f"{MODERN}-or-later"  # the newest that the registry has and the package supports
# One of each kind; the environment of the tests has all calls, in test_modeling_sa2va.py.
CASES, VIDEO = ("img_b_seg2", "img_b_vp", "text_only"), "video8"
INTERNLM2_FACTS = json.loads((FIXTURES / "internlm2/recorded.json").read_text())["cases"]
# `make releases` asks for what the lock does not hold.
OTHER = pytest.param(NEWEST, marks=pytest.mark.releases)
FORBIDDEN = {"helpers", "mmengine", "torchvision", "peft"}

pytestmark = pytest.mark.bare


@cache
def bare_python(transformers: str) -> Path:
    """Python of an environment with this transformers; what does not depend on it lies in one environment for all."""
    common = built_python("common", ("torch", "safetensors", "pillow", "numpy"))
    if transformers == MODERN:
        return built_python(transformers, ("transformers",), common)
    wanted = f"transformers>={MODERN},<6" if transformers == NEWEST else f"transformers=={transformers}"
    return built_python(transformers, (wanted,), common, installed=True)


def built_python(name: str, packages: tuple[str, ...], common: Path | None = None, *, installed: bool = False) -> Path:
    """Python of an environment built once in build/bare, which has `common`'s packages too.

    Its packages are those of the tests' own environment, or are `installed`. Skips where they cannot be.
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
            # Without the tests' own path: installing is the one thing that may need a network, from which that keeps
            # what tests start. What is imported is compiled then.
            command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile", *packages]
            plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
            if done.returncode:
                pytest.skip(f"{packages} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
        ready.touch()
    return python


def packages_of(python: Path) -> Path:
    return python.parents[1] / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"


def run_calls(folder: Path, calls: list[dict], transformers: str, scratch: Path):
    """(facts, logits by name) of calls on an exported folder, in the bare environment."""
    (scratch / "calls.json").write_text(json.dumps(calls))
    out = scratch / "out.npz"
    done = subprocess.run(
        [bare_python(transformers), "-I", SCRIPT, folder, scratch / "calls.json", out],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=scratch, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    arrays = dict(np.load(out))
    facts = json.loads(str(arrays.pop("facts")))
    if transformers == NEWEST:
        assert Version(facts["transformers"]) >= Version(MODERN)
    else:
        assert facts["transformers"] == transformers
    assert not FORBIDDEN & set(facts["modules"])
    return facts, arrays


@pytest.fixture(scope="module")
def golden_calls(shared):
    """Calls of the goldens: two masks, regions, text alone, and a sequence."""
    calls = []
    for name in CASES:
        case = load_case(shared, name)
        image = str(shared / "golden/tiny_qwen2" / case.facts["image"]) if case.image else None
        regions = [[1, 320, 640], [60, 200], [100, 400]] if case.mask_prompts else None
        calls.append({"name": name, "image": image, "text": case.facts["text"],
                      "past_text": case.facts["past_text"], "regions": regions})  # fmt: skip
    video = load_video(shared, VIDEO)
    calls.append({"name": VIDEO, "image": None, "video": [frame.filename for frame in video.frames],
                  "text": video.facts["text"], "past_text": "", "regions": None})  # fmt: skip
    return calls


@pytest.fixture(scope="module")
def golden_results(converted_folder, golden_calls, tmp_path_factory):
    """Results of the golden calls by version of transformers."""

    @cache
    def results(transformers: str):
        return run_calls(converted_folder("ckpt_lora"), golden_calls, transformers, tmp_path_factory.mktemp("bare"))

    return results


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.golden
@pytest.mark.parametrize("transformers", [MODERN, OLD, OTHER])
def test_goldens_are_reached(shared, golden_results, transformers):
    """Of one source: all exports have the same code, and test_modeling_sa2va.py has the goldens of the others."""
    facts, arrays = golden_results(transformers)
    for name in CASES:
        case = load_case(shared, name)
        assert facts["texts"][name] == case.facts["prediction"]
        for index in range(case.facts["n_masks"]):
            logits = arrays[f"{name}/{index}"]
            assert np.abs(logits - case.arrays[f"logits_final_seg{index}"]).max() < 1e-4
            assert np.array_equal(logits > 0, case.mask(index))
    video, logits = load_video(shared, VIDEO), arrays[f"{VIDEO}/0"]
    assert facts["texts"][VIDEO] == video.facts["prediction"]
    assert np.abs(logits[:, ::2, ::2] - video.arrays["logits_final_seg0"]).max() < 1e-3
    assert ((logits > 0) != video.mask()).sum((1, 2)).max() <= 2
    assert len(arrays) - 1 == sum(load_case(shared, name).facts["n_masks"] for name in CASES) >= 2


@pytest.mark.golden
@pytest.mark.parametrize("later", [MODERN, OTHER])
def test_versions_agree_on_rotary_settings_ids_and_logits(golden_results, later):
    (old, old_logits), (new, new_logits) = (golden_results(name) for name in (OLD, later))
    assert old["rope"] == new["rope"]
    assert old["rope"]["theta"] == 1e6
    assert old["ids"] == new["ids"]
    assert set(old_logits) == set(new_logits)
    assert max(np.abs(old_logits[name] - new_logits[name]).max() for name in old_logits) < 1e-5


def calls_of(recorded: dict) -> list[dict]:
    """The calls that were recorded of one of the kit's own models."""
    return [
        {"name": name, "image": facts["image"] and str(FIXTURES / "images" / facts["image"]), "text": facts["prompt"],
         "past_text": "", "regions": None}
        for name, facts in recorded.items()
    ]  # fmt: skip


@pytest.fixture(scope="module")
def internlm2_results(tmp_path_factory):
    """Results of calls on the kit's own model with InternLM2, whose tokenizer was made from sentencepiece's file."""
    folder = tmp_path_factory.mktemp("internlm2") / "model"
    convert(internlm2_sources().request(folder))
    calls = calls_of(INTERNLM2_FACTS)

    @cache
    def results(transformers: str):
        return run_calls(folder, calls, transformers, tmp_path_factory.mktemp("bare"))

    return results


@pytest.mark.slow
@pytest.mark.parametrize("later", [MODERN, OTHER])
def test_internlm2_says_and_marks_the_same_in_all_versions(internlm2_results, later):
    (old, old_logits), (new, new_logits) = (internlm2_results(name) for name in (OLD, later))
    assert old["texts"] == new["texts"] == {name: facts["text"] for name, facts in INTERNLM2_FACTS.items()}
    assert old["ids"] == new["ids"] and {ids[0] for ids in new["ids"]} == {1}  # <s>
    assert old["rope"] == new["rope"] and new["rope"]["type"] == "dynamic"
    assert set(old_logits) == set(new_logits) and len(old_logits) == 4
    assert max(np.abs(old_logits[name] - new_logits[name]).max() for name in old_logits) < 1e-4


@pytest.fixture(scope="module", params=["qwen25vl", "qwen3vl"])
def qwen_results(request, tmp_path_factory):
    """Recorded texts of the kit's own models of the Qwen families, and results of these calls and one on a sequence."""
    folder = tmp_path_factory.mktemp(request.param) / "model"
    convert(qwen_vl_sources(request.param).request(folder))
    recorded = json.loads((FIXTURES / request.param / "recorded.json").read_text())["cases"]
    frames = [str(FIXTURES / "images/image_01.png")] * 3
    calls = [*calls_of(recorded), {"name": VIDEO, "image": None, "video": frames, "text": "blood vessel",
                                   "past_text": "", "regions": None}]  # fmt: skip

    @cache
    def results(transformers: str):
        return run_calls(folder, calls, transformers, tmp_path_factory.mktemp("bare"))

    return {name: facts["text"] for name, facts in recorded.items()}, results


@pytest.mark.slow
@pytest.mark.parametrize("later", [MODERN, OTHER])
def test_the_qwen_families_say_and_mark_the_same_in_all_versions(qwen_results, later):
    texts, results = qwen_results
    (old, old_logits), (new, new_logits) = results(OLD), results(later)
    assert old["texts"] == new["texts"] and texts.items() <= new["texts"].items()
    assert old["ids"] == new["ids"] and old["rope"] == new["rope"]
    assert set(old_logits) == set(new_logits) and len(old_logits[f"{VIDEO}/0"]) == 3
    for name, logits in old_logits.items():
        assert np.array_equal(logits > 0, new_logits[name] > 0)
        # Versions add in another order, which shows in the fifth digit where a mask's edge is steep.
        assert np.allclose(logits, new_logits[name], rtol=1e-4, atol=1e-4)


LOAD = """
import logging, sys, torch
from transformers import AutoModel
model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True)
print(next(model.parameters()).dtype)
"""


def test_a_bare_load_takes_the_stored_dtype_or_warns_with_the_size(fixture_folder_bfloat16):
    loaded = {
        name: subprocess.run(
            [bare_python(name), "-I", "-c", LOAD, fixture_folder_bfloat16],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True,
        )
        for name in (MODERN, OLD)
    }  # fmt: skip
    modern, old = loaded[MODERN], loaded[OLD]
    assert modern.stdout.strip() == "torch.bfloat16"
    assert old.stdout.strip() == "torch.float32"
    assert "loading bfloat16 weights as float32" in old.stderr
    assert "pass dtype=torch.bfloat16" in old.stderr


SLOW_AND_FAST = """
import sys
from transformers import AutoTokenizer
texts = ["Sure, it is [SEG].<|im_end|>", " two  spaces\\n\\n\\ttab", "<p>artery</p> [SEG]<IMG_CONTEXT></img>"]
slow, fast = (AutoTokenizer.from_pretrained(sys.argv[1], use_fast=fast) for fast in (False, True))
print(slow.is_fast, fast.is_fast, all(slow.encode(text) == fast.encode(text) for text in texts))
"""


def test_the_slow_tokenizer_of_version_4_gives_the_same_ids(fixture_folder_bfloat16):
    done = subprocess.run(
        [bare_python(OLD), "-I", "-c", SLOW_AND_FAST, fixture_folder_bfloat16],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["False", "True", "True"]
