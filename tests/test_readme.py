"""The README in both languages: links lead somewhere, quoted messages exist, and the commands are the same."""

import ast
import math
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.real_sizes import base_shapes, native_shapes, partial_shapes, sam2_shapes

ROOT = Path(__file__).resolve().parents[1]
READMES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md")}
BLOCK = re.compile(r"^```\w*\n.*?^```", re.DOTALL | re.MULTILINE)
MESSAGES = {"README.md": "Troubleshooting", "README.zh-CN.md": "按报错信息排查"}


def anchors(text):
    """Of the headings of a page, as code forges make them."""
    return {
        re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE)
    }


def quoted_messages(name):
    section = READMES[name].split(f"\n## {MESSAGES[name]}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


@cache
def texts_of_the_code():
    """Every piece of text in the package, the Makefile and what it calls to make the environment."""
    found = [(ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "scripts/make_venv.sh")]
    for path in (ROOT / "helpers").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        found += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\0".join(found)


PAGES = [*READMES, "CHANGELOG.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files_and_headings(name):
    page = ROOT / name
    links = re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", page.read_text(encoding="utf-8")))
    assert len(links) > 20 or name not in READMES
    for link in links:
        file, _, anchor = link.partition("#")
        if not file.startswith("https://"):
            linked = page.parent / file if file else page
            assert linked.exists(), link
            assert not anchor or anchor in anchors(linked.read_text(encoding="utf-8")), link


def test_each_language_links_the_other():
    assert "](README.zh-CN.md)" in READMES["README.md"] and "](README.md)" in READMES["README.zh-CN.md"]


def test_both_languages_have_the_same_commands():
    english, chinese = (BLOCK.findall(text) for text in READMES.values())
    assert chinese == english and len(english) > 12


def test_no_page_and_no_notebook_converts_an_opened_image():
    """Pillow's own conversion turns a 16-bit frame white: images are given as they were opened."""
    pages = [*READMES.values(), *(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))]
    pages += [path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")]
    opened = [line for page in pages for line in re.findall(r".*Image\.open\(.*", page)]
    assert len(opened) == 3 and not any(".convert(" in line for line in opened)


def test_both_languages_quote_the_same_messages():
    english, chinese = map(quoted_messages, READMES)
    assert chinese == english and len(english) > 12


def test_quoted_messages_are_those_of_the_code():
    pieces = [piece.strip() for message in quoted_messages("README.md") for piece in message.split("...")]
    assert [piece for piece in pieces if piece not in texts_of_the_code()] == []


def test_both_languages_show_every_notebook_and_its_page():
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        for text in READMES.values():
            assert f"](notebooks/{notebook.name})" in text and f"](docs/pages/{notebook.stem}.html)" in text


def test_the_picture_is_small():
    assert (ROOT / "docs" / "images" / "demo.png").stat().st_size < 200_000


@pytest.mark.slow
@pytest.mark.parametrize("name", READMES)
def test_sizes_of_the_files_are_those_of_their_shapes(name):
    """bfloat16 has 2 bytes a value; SAM2's file is float32, a checkpoint either."""
    cells = {
        line.split("|")[1].strip(): line.split("|")[3]
        for line in READMES[name].splitlines()
        if re.match(r"\| `\S+` .*GB", line)
    }
    for file, shapes, widths in (
        ("`iter_3672.pth`", partial_shapes(), (2, 4)),
        ("`InternVL3-8B/`", base_shapes(), (2,)),
        ("`sam2_hiera_large.pt`", sam2_shapes(), (4,)),
        ("`my-model/`", native_shapes(), (2,)),
    ):
        values = sum(math.prod(shape) for shape in shapes.values())
        assert re.findall(r"([\d.]+) GB", cells[file]) == [f"{values * width / 1e9:.1f}" for width in widths]
