"""`vesselkit train CONFIG` is mmengine's training, with the values that were typed."""

import pytest

from helpers.core.vocabulary import Launcher
from helpers.train.fine_tuning import fine_tune


@pytest.fixture
def trained(monkeypatch):
    """What `run_training` was asked for."""
    asked = []

    def run_training(config, **options):
        asked.append((config, options))
        return "iter_2.pth"

    monkeypatch.setattr(fine_tune, "run_training", run_training)
    return asked


def test_a_config_is_trained_with_what_was_typed(call, tmp_path, trained):
    (tmp_path / "cfg.py").touch()
    typed = ("--work-dir", "w", "--resume", "--cfg-options", "a.b=3", "--cfg-options", "lr=1e-4", "--launcher", "none")
    ended = call("train", "cfg.py", *typed)
    assert ended.code == 0 and ended.out == "iter_2.pth\nnext: vesselkit convert --checkpoint iter_2.pth ...\n"
    options = {"a.b": 3, "lr": 1e-4}
    given = {"work_dir": tmp_path / "w", "resume": True, "launcher": Launcher.NONE, "options": options}
    assert trained == [(tmp_path / "cfg.py", given)]
    assert call("train", "cfg.py").code == 0
    assert trained[1][1] == {"work_dir": None, "resume": False, "launcher": Launcher.NONE, "options": {}}


def test_what_cannot_be_trained_is_refused(call, tmp_path, trained):
    assert "CONFIG cfg.py: expected an existing file" in call("train", "cfg.py").err
    (tmp_path / "cfg.py").touch()
    for text in ("lr", "=3"):
        ended = call("train", "cfg.py", "--cfg-options", text)
        assert ended.code == 2 and ended.err == f"Error: --cfg-options: expected KEY=VALUE, got {text!r}\n"
    assert trained == []
