"""README and docs in both languages: links lead somewhere, quoted messages exist, and the commands are the same."""

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
DOCS = sorted((ROOT / "docs").glob("*.md"))
TWINS = {path.name: ROOT / "docs" / path.name for path in sorted((ROOT / "docs" / "zh").glob("*.md"))}
BOTH = {"": READMES} | {
    name: {
        f"docs/{name}": english.read_text(encoding="utf-8"),
        f"docs/zh/{name}": (ROOT / "docs/zh" / name).read_text(encoding="utf-8"),
    }
    for name, english in TWINS.items()
}
MOST_BYTES = 14_000


def anchors(text):
    """Of the headings of a page, as code forges make them."""
    return {
        re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE)
    }


def quoted_messages():
    """Of the pages on messages, English first."""
    return [re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE) for text in BOTH["troubleshooting.md"].values()]


@cache
def texts_of_the_code():
    """Every piece of text in the package, the Makefile and what it calls to make the environment."""
    found = [(ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "scripts/make_venv.sh")]
    for path in (ROOT / "helpers").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        found += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\0".join(found)


PAGES = [*READMES, "CHANGELOG.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in DOCS)]
PAGES += [f"docs/zh/{name}" for name in TWINS]


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


@pytest.mark.parametrize("name", BOTH)
def test_both_languages_have_the_same_commands_and_tables(name):
    english, chinese = BOTH[name].values()
    assert BLOCK.findall(chinese) == BLOCK.findall(english)
    lines = [
        [re.match(r"\|[^|]*", line) is not None for line in text.splitlines()].count(True)
        for text in (english, chinese)
    ]
    assert lines[0] == lines[1] or name == "predicting.md"  # whose tables of speed are in English alone


def test_a_page_in_chinese_and_its_english_one_link_each_other():
    assert len(TWINS) > 6
    for name, english in TWINS.items():
        chinese = (ROOT / "docs/zh" / name).read_text(encoding="utf-8")
        assert f"](zh/{name})" in english.read_text(encoding="utf-8") and f"](../{name})" in chinese


@pytest.mark.parametrize("name", READMES)
def test_the_first_screen_is_four_commands_of_few_options(name):
    """Then `pipeline`, which is all of them; and the page stays short: the rest stands in docs."""
    text = READMES[name]
    assert len(text.encode()) <= MOST_BYTES
    first, second = BLOCK.findall(text)[:2]
    lines = [line for line in first.splitlines() if line.startswith("vesselkit ")]
    assert [line.split()[1] for line in lines] == ["convert", "predict", "evaluate", "review"]
    assert first.count("\n# ") == len(lines)  # each with what it gives
    for line in lines:
        assert len(set(re.findall(r"--[\w-]+", line)) - {"--output"}) <= 3, line
    assert second.splitlines()[1].startswith("vesselkit pipeline ") and text.index("demo.png") < text.index(first)


@pytest.mark.parametrize("index", ["docs/README.md", "docs/zh/README.md"])
def test_the_index_leads_to_every_page_in_four_parts(index):
    text = (ROOT / index).read_text(encoding="utf-8")
    named = {Path(link).name for link in re.findall(r"\]\(([^)#]+\.md)", text)}
    assert {path.name for path in DOCS} - {"README.md"} <= named
    assert text.count("\n## ") == 4


def test_no_page_and_no_notebook_converts_an_opened_image():
    """Pillow's own conversion turns a 16-bit frame white: images are given as they were opened."""
    pages = [*READMES.values(), *(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))]
    pages += [path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")]
    opened = [line for page in pages for line in re.findall(r".*Image\.open\(.*", page)]
    assert len(opened) == 3 and not any(".convert(" in line for line in opened)


def test_both_languages_quote_the_same_messages():
    english, chinese = quoted_messages()
    assert chinese == english and len(english) > 12


def test_quoted_messages_are_those_of_the_code():
    pieces = [piece.strip() for message in quoted_messages()[0] for piece in message.split("...")]
    assert [piece for piece in pieces if piece not in texts_of_the_code()] == []


def test_both_languages_show_every_notebook_and_its_page():
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert len(notebooks) == 4
    for notebook in notebooks:
        for text in READMES.values():
            assert f"](notebooks/{notebook.name})" in text and f"](docs/pages/{notebook.stem}.html)" in text


def test_the_picture_is_small():
    assert (ROOT / "docs" / "images" / "demo.png").stat().st_size < 200_000


@pytest.mark.slow
@pytest.mark.parametrize("name", BOTH["converting.md"])
def test_sizes_of_the_files_are_those_of_their_shapes(name):
    """bfloat16 has 2 bytes a value; SAM2's file is float32, a checkpoint either."""
    cells = {
        line.split("|")[1].strip(): line.split("|")[3]
        for line in BOTH["converting.md"][name].splitlines()
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
