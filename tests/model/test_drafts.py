"""Which answers are expected again."""

from helpers.model import drafts
from helpers.model.drafts import Drafts


def test_the_last_answer_to_the_same_words_is_expected():
    kept = Drafts()
    assert kept.of("vessels") == []
    kept.keep("vessels", "", [1, 2])
    kept.keep("vessels", "earlier", [3])
    kept.keep("vessels", "", [4])
    assert (kept.of("vessels"), kept.of("vessels", "earlier"), kept.of("tubes")) == ([4], [3], [])


def test_what_is_expected_does_not_change_with_what_was_given_or_got():
    kept, answer = Drafts(), [1, 2]
    kept.keep("vessels", "", answer)
    answer.append(3)
    kept.of("vessels").append(4)
    assert kept.of("vessels") == [1, 2]


def test_words_asked_longest_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr(drafts, "_MOST", 2)
    kept = Drafts()
    for text in ("a", "b", "a", "c"):
        kept.keep(text, "", [len(text)])
    assert len(kept) == 2 and kept.of("b") == [] and kept.of("a") == kept.of("c") == [1]
