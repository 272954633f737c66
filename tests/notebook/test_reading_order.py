"""The order of a page's cells, and its list of contents, in a real browser too."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.notebook.notebook_report import in_reading_order, report_html, with_contents
from tests.notebook.test_prose import TURNED
from tests.support.browser import chromium
from tests.support.shipped_notebooks import EVALUATE, NOTEBOOKS

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 800, "height": 800}


def cell(text, *tags):
    return new_markdown_cell(text, metadata={"tags": list(tags)})


def texts(cells):
    return [one.source for one in in_reading_order(cells)]


def test_the_title_then_what_begins_then_the_rest_then_what_ends():
    cells = [cell("# Title"), cell("parameters", "page-end"), cell("data"), cell("result", "page-start"), cell("files")]
    assert texts(cells) == ["# Title", "result", "data", "files", "parameters"]
    assert texts(cells[:3]) == ["# Title", "data", "parameters"]


def test_what_stands_under_the_title_comes_after_what_begins():
    cells = [cell("a notice"), cell("# Title\n\n**Question:** how good?"), cell("result", "page-start"), cell("rest")]
    assert texts(cells) == ["a notice", "# Title", "result", "## About this page\n\n**Question:** how good?", "rest"]
    assert texts([cells[1], cells[3]]) == [cells[1].source, "rest"]
    assert cells[1].source.endswith("how good?"), "the notebook itself stays as it is"
    assert texts([cell(TURNED), cells[2]]) == [
        "# 得分\n\n<details><summary>English: Scores</summary></details>",
        "result",
        TURNED.replace("# 得分", "## 关于此页").replace("English: Scores", "English: About this page"),
    ]


def test_without_a_title_tags_hold_all_the_same():
    assert texts([cell("a"), cell("b", "page-start"), new_code_cell("c")]) == ["b", "a", "c"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_of_each_notebook_ends_with_its_parameters(notebook):
    cells = in_reading_order(nbformat.read(notebook, as_version=4).cells)
    assert cells[0].source.startswith("# ") and "show_parameters(" in cells[-1].source
    assert cells[-2].source.startswith("## Parameters\n") or "## Parameters\n" in cells[-2].source
    headings = [one.source for one in cells if one.cell_type == "markdown" and one.source.startswith("#")]
    assert len(set(headings)) == len(headings)


def test_the_report_begins_with_the_headline_and_its_pictures():
    cells = in_reading_order(nbformat.read(EVALUATE, as_version=4).cells)
    assert [one.source.partition("\n")[0] for one in cells[:2]] == ["# Evaluate predictions", "## Headline"]
    calls = ("show_headline(", "headline_figure(", "telling_figures(")
    places = [cells[2].source.rindex(call) for call in calls]
    assert places == sorted(places) and cells[4].source.startswith("## About this page")


def page():
    table = new_output("display_data", data={"text/html": "<h2>of a table</h2>" + "<p>row</p>" * 200})
    cells = [
        cell("# Title\n\nabout\n\n<details><summary>中文：标题</summary>\n\n**粗**\n\n</details>"),
        new_code_cell("", metadata={"tags": ["page-end"]}, outputs=[table]),
        cell("## How `good` & how *sure*?", "page-start"), cell("## Files\n\n### One <b>file</b>"),
    ]  # fmt: skip
    return report_html(new_notebook(cells=cells), "page")


def test_contents_name_the_headings_of_the_prose_in_order():
    html = page()
    links = html.split("<details")[0].split("<nav")[1]
    names = ["Title", "How good &amp; how sure?", "About this page", "Files", "One file"]
    assert [part.split("</a>")[0].rsplit(">", 1)[1] for part in links.split("<li ")[1:]] == names
    fold = html[html.index("中文：关于此页</summary>") :]
    assert fold.index("<strong>粗</strong>") < fold.index("</details>")
    assert html.index("</nav>") < html.index("<main>") and "<script" not in html
    assert with_contents("<main><p>no heading</p></main>") == "<main><p>no heading</p></main>"


@pytest.mark.slow
def test_contents_stand_at_the_side_of_a_wide_window_and_are_folded_in_a_narrow_one(tmp_path):
    file = tmp_path / "page.html"
    file.write_text(page(), encoding="utf-8")
    with chromium() as browser:
        tab = browser.new_page(viewport=WIDE)
        tab.goto(file.as_uri())
        side, folded = tab.locator("nav.contents"), tab.locator("details.contents")
        assert side.is_visible() and not folded.is_visible()
        edge, text = side.bounding_box(), tab.locator("main").bounding_box()
        assert edge["x"] == 0 and edge["x"] + edge["width"] <= text["x"]
        for place, link in enumerate(side.locator("a").all()):
            link.click()
            shown = tab.locator(f":is(h1, h2, h3)[id] >> nth={place}")
            assert shown.bounding_box()["y"] < WIDE["height"], link.inner_text()
        assert side.bounding_box() == edge, "it stays while the page moves"
        tab.set_viewport_size(NARROW)
        assert not side.is_visible() and folded.is_visible() and not folded.locator("a").first.is_visible()
        folded.locator("summary").click()
        folded.get_by_text("Files").click()
        assert tab.url.endswith("#Files")
        assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
