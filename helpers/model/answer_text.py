"""The text of an answer, special tokens included."""

from itertools import groupby
from typing import Any

# What the tokenizer of InternLM2 takes out of decoded text, in this order.
_TIGHTENED = {" .": ".", " ?": "?", " !": "!", " ,": ",", " ' ": "'", " n't": "n't", " 'm": "'m", " 's": "'s",
              " 've": "'ve", " 're": "'re"}  # fmt: skip


def plain_text(tokenizer: Any, token_ids: list[int]) -> str:
    """The tokens' texts one behind the other, without blanks at the ends."""
    return tokenizer.decode(token_ids, skip_special_tokens=False).strip()


def spaced_text(tokenizer: Any, token_ids: list[int], sentencepiece_ids: int) -> str:
    """The text as the official tokenizer of InternLM2 writes it, with blanks beside special tokens.

    Tokens added behind sentencepiece's, such as `[SEG]`, have a blank on both sides, beside those of the words. Of
    special tokens among sentencepiece's own, such as `<|im_end|>`, one that follows words has a blank in front of these
    words. The text between added tokens is then tightened: no blank stands before a full stop.

    Args:
        sentencepiece_ids: how many ids sentencepiece knows; later ones are added tokens.
    """
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    parts = []
    for is_added, group in groupby(token_ids, lambda number: number >= sentencepiece_ids):
        numbers = list(group)
        if is_added:
            parts += [tokenizer.convert_ids_to_tokens(number) for number in numbers]
        else:
            parts.append(_between(tokenizer, numbers, special))
    return " ".join(part for part in parts if part).strip()


def _between(tokenizer: Any, token_ids: list[int], special: set[int]) -> str:
    """Text without added tokens."""
    text, words, after_special = "", list[int](), False
    for number in token_ids:
        if number in special:
            blank = "" if after_special else " "
            text += blank + tokenizer.decode(words) + tokenizer.convert_ids_to_tokens(number)
            words, after_special = [], True
        else:
            words.append(number)
            after_special = False
    text += tokenizer.decode(words)
    for loose, tight in _TIGHTENED.items():
        text = text.replace(loose, tight)
    return text
