"""`vesselkit verify`: what it is asked for, and its exit codes."""

import shutil

import pytest
from PIL import Image

from helpers.checkpoints.receipt.receipt_script import write_receipt
from tests.support.fixture_model import draw_angiograms
from tests.support.official_stand_in import stand_in
from tests.support.tiny_sources import fixture_sources


def test_the_script_is_written_and_replaced(call, tmp_path):
    for _ in range(2):
        ended = call("verify", "--write-receipt-script", "receipt.py")
        assert ended.code == 0 and "python receipt.py --model OFFICIAL_EXPORT" in ended.out
    assert (tmp_path / "receipt.py").read_text().startswith('"""Record what official Sa2VA code computes')
    (tmp_path / "notes.txt").write_text("mine")
    refused = call("verify", "--write-receipt-script", "notes.txt")
    assert refused.code == 3 and (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "words, said",
    [
        ((), "Invalid value for DIR: expected a folder that `convert` wrote, got none"),
        (("MODEL",), "verify: expected --checkpoint CKPT, --receipt FILE or --publish-check"),
        (("MODEL", "--receipt", "lost.npz"), "lost.npz"),
        (("MODEL", "--checkpoint", "CKPT", "--data", "."), "--data: goes with --receipt. Leave it out"),
        (("MODEL", "--receipt", "r.npz", "--base", "."), "--base: goes with --checkpoint. Leave it out"),
        (("MODEL", "--receipt", "r.npz", "--scores", "."), "--scores: goes with --publish-check. Leave it out"),
    ],
)
def test_what_cannot_work_is_refused(call, model, words, said):
    ended = call("verify", *(model if word == "MODEL" else word for word in words))
    assert ended.code == 2 and said in ended.err


def test_a_receipt_and_the_sources(call, model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "my-model")
    data, tiny = draw_angiograms(tmp_path / "data", 2), fixture_sources()
    images = [Image.open(path) for path in sorted(data.iterdir())]
    official, tokenizer = stand_in(folder)
    write_receipt(official, tmp_path / "receipt.npz", tokenizer, images)
    asked = ("verify", "my-model", "--receipt", "receipt.npz", "--data", "data", "--device", "cpu")
    sources = ("--checkpoint", tiny.checkpoint, "--base", tiny.base, "--sam2", tiny.sam2)
    ended = call(*asked, *sources)
    assert ended.code == 0, ended.out
    assert "Checked against official code: yes (receipt of " in (folder / "README.md").read_text()
    assert "my-model: verified" in ended.out and "my-model: the same model as the official code's" in ended.out
    assert "next: vesselkit predict --model" in ended.out
    official.kit.config.instruction += "In short."
    write_receipt(official, tmp_path / "receipt.npz", tokenizer, images)
    ended = call(*asked)
    assert ended.code == 1 and "NOT the same model" in ended.out and "next:" not in ended.out
    ended = call("verify", "my-model", "--publish-check")
    assert ended.code == 0 and ended.out.endswith(f"hf upload USER/NAME {tmp_path}/my-model .\n"), ended.out
    (folder / "README.md").write_text((folder / "README.md").read_text() + "mail me@lab.org\n")
    ended = call("verify", "my-model", "--publish-check")
    assert ended.code == 1 and "an e-mail address. Take it out here" in ended.out
