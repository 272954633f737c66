"""A conversion that is killed leaves no folder, and the next one is whole, in every family."""

import os
import signal

import pytest
import torch

from helpers.checkpoints.convert import convert, export
from helpers.checkpoints.convert.conversion_record import RECORD_NAME
from tests.support.tiny_sources import family_sources


def files(folder):
    """The bytes of every file but the record, which names the time."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != RECORD_NAME}


@pytest.mark.parametrize("family", ["internlm2", "qwen25vl", "qwen3vl"])
def test_a_killed_conversion_leaves_no_folder_and_the_next_one_is_whole(family, tmp_path, monkeypatch):
    sources = family_sources(family)
    whole = convert(sources.request(tmp_path / "whole/out"))
    output = tmp_path / "killed/out"
    child = os.fork()
    if not child:
        torch.set_num_threads(1)
        monkeypatch.setattr(export, "check_changes", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        try:
            convert(sources.request(output, shard_bytes=100_000))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not output.exists() and [path.name[:9] for path in output.parent.iterdir()] == [".partial-"]
    again = convert(sources.request(output))
    assert again.values["tensors_sha256"] == whole.values["tensors_sha256"]
    assert files(output) == files(tmp_path / "whole/out") and "model.safetensors" in files(output)
