"""Texts from outside stay texts: in pages, in spreadsheets, and in the cells of notebooks."""

import ast
import csv
import io
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from PIL import Image

from helpers.core.shown_text import safe_text
from helpers.core.watermark import VARIABLE
from helpers.data.audit.findings import AuditFinding, AuditSeverity, to_csv
from helpers.data.dataset import open_dataset
from helpers.data.ids.case_ids import IdPolicy
from helpers.review.films.film_export import write_cine
from helpers.review.page import write_page
from helpers.review.pictures import run_panels, write_pictures
from helpers.review.review_source import open_source
from helpers.review.verdict_export import verdict_table
from tests.review.test_verdicts import record
from tests.support.browser import chromium
from tests.support.review_runs import CASES, GRIDDED, SAME, write_data, write_run
from tests.support.shipped_notebooks import INFER

RUNS = '"><img src=x onerror="window.ran=1"><script>window.ran=1<'  # no slash, so that a folder can have the name
ENDS = "</script><script>window.ran=1</script><!--"
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0")


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A review whose run, stamp and verdicts try to run something."""
    data = write_data(tmp_path / "data")
    monkeypatch.setenv(VARIABLE, ENDS)
    run = write_run(tmp_path / RUNS)
    monkeypatch.delenv(VARIABLE)
    return open_source(run, data)


@pytest.mark.browser
def test_pages_run_nothing_of_the_texts_that_they_show(hostile, tmp_path):
    notes = [
        record(number, case, note=note, run=hostile.run)
        for number, (case, note) in enumerate(((SAME, RUNS), (GRIDDED, ENDS)))
    ]
    pages = [write_page(hostile, tmp_path / "review.html", records=notes)]
    write_pictures(run_panels(hostile, CASES[:2]), tmp_path / "pictures", f"Run {RUNS}", ENDS)
    write_cine(hostile.scored_runs, hostile.dataset, tmp_path / "films")
    pages += [tmp_path / name / "index.html" for name in ("pictures", "films")]
    with chromium() as browser:
        for path in pages:
            page = browser.new_page()
            page.goto(path.as_uri())
            page.wait_for_timeout(500)
            assert page.evaluate("window.ran") is None, path
            assert page.locator("img[src=x]").count() == 0
            if path.name == "review.html":
                page.fill("[data-control=reviewer]", "ann")
                page.wait_for_timeout(100)
            text = page.inner_text("body")
            assert RUNS in text and ENDS in text, path
            assert page.evaluate("window.ran") is None, path
            page.close()


@pytest.mark.parametrize("text", [*FORMULAS, "a\r=1", "a\r\n=1"])
def test_spreadsheets_run_nothing(tmp_path, text):
    source = open_source(write_run(tmp_path / "run"), write_data(tmp_path / "data"))
    verdicts = verdict_table(source, {"ann": {SAME: record(1, SAME, note=text)}})
    findings = to_csv([AuditFinding(AuditSeverity.ERROR, "kind", text, text, text)])
    for table in (verdicts, findings):
        rows = list(csv.reader(io.StringIO(table, newline="")))
        cells = [cell for row in rows for cell in row]
        assert len(rows) == 2 and safe_text(text) in cells
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]


def test_ids_that_are_kept_from_file_names_are_plain(tmp_path):
    names = [
        "=cmd()",
        "+1",
        "-2",
        "@SUM(A1)",
        "<img src=x onerror=alert(1)>",
        "a\"b'c",
        "$x$",
        "`id`",
        "a b",
        "\u202e",
    ]
    for number, name in enumerate(names):
        Image.new("L", (32, 32), number).save(tmp_path / f"{name}.png")
    found = [case.case_id for case in open_dataset(tmp_path, ids=IdPolicy.KEEP).cases]
    assert len(found) == len(set(found)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", one) and one not in (".", "..") for one in found)


def injected(values):
    """The names that the cell of given parameters assigns, with their values; it may hold nothing else."""
    node = parameterize_notebook(load_notebook_node(str(INFER)), values)
    (cell,) = (one for one in node.cells if "injected-parameters" in one.metadata.tags)
    body = ast.parse(cell.source).body
    assert all(isinstance(line, ast.Assign) and len(line.targets) == 1 for line in body)
    return {line.targets[0].id: ast.literal_eval(line.value) for line in body}


@example('x"\nimport os\nos.abort()\n"')
@example(3 * "'" + 3 * '"' + "\\")
@example('\\"; window.ran')
@example("\u2028\x85\x0c\x00{braces}%s")
@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_parameters_of_notebooks_stay_values(text):
    assert injected({"name": text, "prompts": [text, "b"]}) == {"name": text, "prompts": [text, "b"]}
