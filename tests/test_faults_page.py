"""docs/faults.md has every stage under every fault, and what it names and quotes exists."""

import re
from pathlib import Path

from tests.test_readme import anchors, texts_of_the_code

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
STAGES = ["convert", "predict", "evaluate", "review", "notebooks", "train"]
FAULTS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE))
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", TEXT)))


def rows(section):
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_every_fault_has_every_stage_with_a_test():
    assert len(FAULTS) == 12
    for fault, section in FAULTS.items():
        found = rows(section)
        assert [row[0] for row in found] == STAGES, fault
        assert all(len(row) == 5 and row[1] and "`tests/" in row[4] for row in found), fault


def test_named_tests_exist():
    for name in TESTS:
        file, test = name.split("::")
        assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), name


def test_quoted_messages_are_those_of_the_code():
    code = texts_of_the_code()
    quoted = {
        words for section in FAULTS.values() for row in rows(section) for words in re.findall(r"`([^`]+)`", row[2])
    }
    assert len(quoted) > 30
    assert [words for words in sorted(quoted) if words not in code] == []


def test_every_test_is_named_as_a_test_and_the_readmes_lead_here():
    assert len(TESTS) > 60 and len(TESTS) == len(set(re.findall(r"tests/[\w/]+\.py::\w+", TEXT)))
    assert "the-clock-is-set" in anchors(TEXT)
    for name in ("README.md", "README.zh-CN.md"):
        assert "](docs/faults.md)" in (ROOT / name).read_text(encoding="utf-8")
