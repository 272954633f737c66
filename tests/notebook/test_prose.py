"""Prose in two languages: one in front, the other in a fold; and that of the shipped notebooks, whole in both."""

import re

import nbformat
import pytest

from helpers.core.vocabulary import Language
from helpers.notebook.prose import Passage, in_language, sections, tell_in
from tests.support.shipped_notebooks import NOTEBOOKS

ENGLISH, CHINESE = Language.ENGLISH, Language.CHINESE
BOTH = "# Scores\n\nOf **two** runs.\n\n<details><summary>中文：得分</summary>\n\n两个运行。\n\n又一段。\n\n</details>"
TURNED = (
    "# 得分\n\n两个运行。\n\n又一段。\n\n<details><summary>English: Scores</summary>\n\nOf **two** runs.\n\n</details>"
)
BARE = "## Files\n\n<details><summary>中文：文件</summary></details>"
NOTE = "A note.\n\n<details><summary>中文</summary>\n\n一句话。\n\n</details>"
LABELS = {
    "Question": "问题", "Inputs": "输入", "Outputs": "输出", "Minutes and memory": "时间与内存",
    "The last figure": "最后一张图", "How to read it": "怎样看", "How it misleads": "容易误读之处", "Space": "空格",
}  # fmt: skip


def test_a_cell_is_read_in_either_language_and_the_other_is_folded():
    assert in_language(BOTH, CHINESE) == TURNED and in_language(TURNED, CHINESE) == TURNED
    assert in_language(TURNED, ENGLISH) == BOTH
    assert in_language(f"{NOTE}\n\n{BARE}", CHINESE) == (
        "一句话。\n\n<details><summary>English</summary>\n\nA note.\n\n</details>\n\n"
        "## 文件\n\n<details><summary>English: Files</summary></details>"
    )
    (section,) = sections(BARE)
    assert section.passages == {ENGLISH: Passage("Files", ""), CHINESE: Passage("文件", "")}


def test_what_has_one_language_stays():
    assert in_language("## Mine\n\nText.", CHINESE) == "## Mine\n\nText."
    assert in_language(f"{NOTE}\n\nMine.", CHINESE).endswith("</details>\n\nMine.")
    cells = [{"cell_type": "code", "source": [BOTH]}, {"cell_type": "markdown", "source": ["<details>", "</details>"]}]
    kept = [dict(cell) for cell in cells]
    tell_in(cells, CHINESE)
    assert cells == kept


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_section_of_the_notebooks_is_in_both_languages(notebook):
    """With the same code, the same numbers and the same labels, and its heading at its beginning."""
    prose = [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "markdown"]
    assert len(prose) >= 10
    for section in (one for source in prose for one in sections(source)):
        assert list(section.passages) == [ENGLISH, CHINESE], section
        english, chinese = section.passages.values()
        assert (english.heading is None, english.text == "") == (chinese.heading is None, chinese.text == ""), section
        for form in (r"`[^`]+`", r"\d[\d.,]*\d|\d"):
            found = [sorted(re.findall(form, one.text)) for one in (english, chinese)]
            assert found[0] == found[1], english.text
        # A sign before the ** that ends bold letters would leave them as they are: "**怎样看：**每".
        bold = [re.findall(r"\*\*(.+?):?\*\*", one.text) for one in (english, chinese)]
        assert [LABELS.get(label, label) for label in bold[0]] == bold[1], english.text
        assert not re.search(r"^#", english.text + "\n" + chinese.text, re.MULTILINE), english.text
    for source in prose:
        assert in_language(in_language(source, CHINESE), ENGLISH) == source
