"""The text of an answer: plain, or with the blanks of InternLM2's own tokenizer."""

import json
from dataclasses import dataclass

import pytest
from transformers import AutoTokenizer

from helpers.checkpoints.convert.tokenizer_files import write_tokenizer
from helpers.model.answer_text import plain_text, spaced_text
from helpers.model.configuration_sa2va import SPECIAL_TOKENS


@dataclass(frozen=True)
class Token:
    special: bool


class Words:
    """A tokenizer of eight tokens, the last two of which were added behind the others."""

    texts = ("<s>", "<|im_end|>", "it is ", ".", "'s", " no", "[SEG]", "</p>")
    added_tokens_decoder = {number: Token(special=True) for number in (0, 1, 6, 7)}

    def decode(self, token_ids, skip_special_tokens=False):
        return "".join(self.texts[number] for number in token_ids)

    def convert_ids_to_tokens(self, number):
        return self.texts[number]


@pytest.mark.parametrize(
    ("token_ids", "text"),
    [
        ([], ""),
        ([2, 5], "it is  no"),
        ([2, 6, 3], "it is  [SEG] ."),  # a blank beside the word's own; none tightens across an added token
        ([2, 6, 3, 1], "it is  [SEG] .<|im_end|>"),  # the blank before the words of <|im_end|> goes before a full stop
        ([2, 6, 2, 1], "it is  [SEG]  it is <|im_end|>"),
        ([6, 7], "[SEG] </p>"),
        ([6, 1], "[SEG]  <|im_end|>"),
        ([5, 3], "no."),
        ([2, 4], "it is's"),
        ([0, 1, 2, 1, 2], "<s><|im_end|> it is <|im_end|>it is"),
    ],
)
def test_blanks_stand_beside_special_tokens(token_ids, text):
    assert spaced_text(Words(), token_ids, 6) == text


def test_plain_text_is_what_the_tokens_say():
    assert plain_text(Words(), [5, 6, 3, 1]) == "no[SEG].<|im_end|>"


@pytest.mark.golden
def test_recorded_texts_are_those_of_the_official_tokenizer(shared, tmp_path):
    golden = shared / "golden/tiny_internlm2"
    facts = write_tokenizer(golden / "base/internvl_base", tmp_path, SPECIAL_TOKENS)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    examples = json.loads((golden / "manifest.json").read_text())["tokenizer_examples"].values()
    for example in examples:
        assert spaced_text(tokenizer, example["ids"], facts.pieces) == example["decoded"].strip()
    assert len(examples) == 7
