"""The commands pass on what was typed, print what comes back, and exit with findings."""

import json
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import helpers.checkpoints.verify
from helpers.checkpoints.convert import ConversionRequest
from helpers.cli import doctor
from helpers.data.ids.id_key import fingerprint, read_key


@dataclass(frozen=True)
class Report:
    ok: bool

    def to_text(self):
        return "the report"

    def to_dict(self):
        return {"ok": self.ok}


class Record:
    def summary(self):
        return "the summary"


@pytest.fixture
def inputs(tmp_path):
    for name in ("c.pth", "s.pt", "sizes.json", "cfg.py"):
        (tmp_path / name).touch()
    (tmp_path / "base").mkdir()
    return tmp_path


def test_inspect_prints_a_checkpoint(call, tmp_path):
    torch.save({"state_dict": {"a": torch.zeros(2, 3)}}, tmp_path / "x.pth")
    shown = call("inspect", "x.pth")
    assert shown.code == 0 and "x.pth" in shown.out
    assert isinstance(json.loads(call("inspect", str(tmp_path / "x.pth"), "--json").out), dict)


def test_inspect_refuses_text(call, tmp_path):
    (tmp_path / "x.pth").write_text("not weights")
    ended = call("inspect", "x.pth")
    assert ended.code == 3 and "x.pth" in ended.err and ended.err.count("\n") == 1


def test_convert_passes_every_option(call, inputs, monkeypatch):
    seen = []
    monkeypatch.setattr("helpers.stages.convert_stage.run_conversion", lambda request: seen.append(request) or Record())
    options = {
        "--checkpoint": "c.pth",
        "--output": "out",
        "--base": "base",
        "--sam2": "s.pt",
        "--sam2-config": "sizes.json",
        "--train-config": "cfg.py",
        "--lora-alpha": "32",
        "--template": "qwen_chat",
        "--pretrained": "s.pt",
        "--dtype": "float32",
    }
    ended = call("convert", *chain.from_iterable(options.items()))
    written = inputs / "out"
    assert ended.code == 0 and ended.out.splitlines() == [
        "the summary",
        f"written to {written}",
        f"next: vesselkit predict --model {written} --data DATASET --output RUN",
    ]
    assert seen == [
        ConversionRequest(
            checkpoint=inputs / "c.pth",
            output=inputs / "out",
            base=inputs / "base",
            sam2=inputs / "s.pt",
            sam2_config=str(inputs / "sizes.json"),
            train_config=inputs / "cfg.py",
            lora_alpha=32.0,
            template="qwen_chat",
            dtype="float32",
            pretrained=inputs / "s.pt",
        )
    ]


def test_convert_keeps_names_of_training_images_under_the_key_that_is_named(call, inputs, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(inputs / "config"))
    (inputs / "train.json").write_text('[{"image": "P1_1.png"}]')
    (inputs / "cfg.py").write_text("data = 'train.json'\n")

    monkeypatch.setattr("helpers.stages.convert_stage.run_conversion", lambda request: Record())
    record = SimpleNamespace(values={"tensors_sha256": "ab"})
    monkeypatch.setattr("helpers.evaluation.leakage.conversion_names.read_record", lambda folder: record)
    options = ("--checkpoint", "c.pth", "--output", "out", "--train-config", "cfg.py", "--id-key", "keys/my.key")
    ended = call("convert", *options)
    assert ended.code == 0 and "note: names of 1 training image were kept on this machine as hashes" in ended.err
    kept = json.loads((inputs / "config/vesselkit/training-names/ab.json").read_text())
    assert kept["key_fingerprint"] == fingerprint(read_key(inputs / "keys/my.key"))
    (inputs / "keys/my.key").write_text("no key")
    ended = call("convert", *options)  # told before the work
    assert ended.code == 3 and "expected 64 hexadecimal digits" in ended.err


def test_convert_leaves_open_what_was_not_given(call, inputs, monkeypatch):
    seen = []
    monkeypatch.setattr("helpers.stages.convert_stage.run_conversion", lambda request: seen.append(request) or Record())
    assert call(*["convert", "--checkpoint", "c.pth", "--output", "out", "--sam2-config", "hiera_l"]).code == 0
    assert seen == [ConversionRequest(inputs / "c.pth", inputs / "out", sam2_config="hiera_l")]


def test_convert_names_the_option_whose_file_is_absent(call, inputs):
    for option in ("--base", "--sam2", "--train-config", "--sam2-config", "--pretrained"):
        ended = call(*["convert", "--checkpoint", "c.pth", "--output", "out"], option, "absent.json")
        assert ended.code == 2 and ended.err.startswith(f"Error: {option} absent.json: expected an existing file")


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_verify_exits_with_findings(call, inputs, monkeypatch, ok, code):
    seen = []

    def verify(folder: Path, **sources):
        seen.append((folder, sources))
        return Report(ok)

    monkeypatch.setattr(helpers.checkpoints.verify, "verify", verify)
    given = ["--checkpoint", "c.pth", "--sam2", "s.pt", "--train-config", "cfg.py", "--pretrained", "none"]
    ended = call("verify", "base", *given)
    following = f"next: vesselkit predict --model {inputs / 'base'} --data DATASET --output RUN\n"
    assert (ended.code, ended.out, ended.err) == (code, f"the report\n{following if ok else ''}", "")
    sources = {"checkpoint": inputs / "c.pth", "base": None, "sam2": inputs / "s.pt", "train_config": inputs / "cfg.py"}
    sources["pretrained"] = "none"
    assert seen == [(inputs / "base", sources)]


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_doctor_exits_with_findings(call, monkeypatch, ok, code):
    monkeypatch.setattr(doctor, "examine", lambda: Report(ok))
    assert call("doctor").out == "the report\n"
    ended = call("doctor", "--json")
    assert ended.code == code and json.loads(ended.out) == {"ok": ok}
