"""The demo's tokenizer and pictures come out the same every time."""

import numpy as np
from transformers import AutoTokenizer

from helpers.dev.demo.tiny_files import CORPUS, write_tokenizer_folder
from tests.support.fixture_maker.images import draw_image


def test_the_same_texts_give_the_same_tokenizer(tmp_path):
    contents = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        write_tokenizer_folder(folder, CORPUS)
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "first")
    text = "Segment the vessels, 3 of them: ünïcode."
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_same_seed_draws_the_same_picture():
    first, again, other = draw_image(3, 64, 48), draw_image(3, 64, 48), draw_image(4, 64, 48)
    assert np.array_equal(first.grey, again.grey) and np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.mask, other.mask)
    assert first.grey.shape == (48, 64) and first.mask.any() and not first.mask.all()
