"""The pages of the demo's notebooks: one for each, small, without anything of the machine that made them."""

import base64
import io
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.dev.demo.demo_pipeline import STAMP
from helpers.dev.demo.pages import write_pages

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURE = re.compile(r"data:image/[^\"')]*")
MACHINE_PATH = re.compile(r"(?<![\w.>])/(?:work|tmp|root|home|usr|opt|mnt|Users)/|[A-Z]:\\|site-packages")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_notebook_has_its_page(notebook):
    page = ROOT / "docs" / "pages" / f"{notebook.stem}.html"
    assert page.stat().st_size < 1.8e6
    html = PICTURE.sub("data:", page.read_text(encoding="utf-8"))
    assert not MACHINE_PATH.search(html)
    assert "<script" not in html and not re.search(r"""(src|href)=["'](?!data:|#)""", html)
    title = nbformat.read(notebook, 4).cells[0].source.splitlines()[0].removeprefix("# ")
    assert title in html and STAMP in html and "not for clinical use" in html.lower()


def test_there_are_no_other_pages():
    assert {page.stem for page in (ROOT / "docs" / "pages").iterdir()} == {path.stem for path in NOTEBOOKS}


def png(array):
    kept = io.BytesIO()
    Image.fromarray(array).save(kept, "PNG")
    return kept.getvalue()


def test_pages_are_written_with_smaller_pictures_and_the_stamp(tmp_path):
    grey = np.random.default_rng(0).integers(96, 128, (200, 320, 1), np.uint8)
    mixed = np.repeat(grey, 3, axis=2)
    mixed[50:60] = (86, 180, 233)
    line_art = np.zeros((8, 300, 3), np.uint8)
    pictures = [
        new_output(
            "display_data",
            data={"image/png": base64.b64encode(png(one)).decode()},
            metadata={"image/png": {"alt": seen}},
        )
        for one, seen in ((mixed, "a frame"), (line_art, "a line"))
    ]
    node = new_notebook(cells=[new_markdown_cell("# Title"), new_code_cell("secret = 1", outputs=pictures)])
    nbformat.write(node, tmp_path / "a.ipynb")
    nbformat.write(node, tmp_path / "a.failed.ipynb")
    (page,) = write_pages(tmp_path, tmp_path / "pages")
    html = page.read_text(encoding="utf-8")
    assert page.name == "a.html" and "Title" in html and STAMP in html and "secret" not in html
    kept = [base64.b64decode(found) for found in re.findall(r'<img[^>]*src="data:image/\w+;base64,([^"]+)"', html)]
    assert re.findall(r'<img alt="([^"]*)"', html) == ["a frame", "a line"]
    frame, line = (Image.open(io.BytesIO(one)) for one in kept)
    assert (frame.format, frame.size, line.format) == ("JPEG", (320, 200), "PNG")
    off = np.abs(np.asarray(frame, float) - mixed)
    assert off.mean() < 8 and off[52:58].mean() < 8  # levels: a colour of few pixels is kept
    assert len(kept[0]) < len(png(mixed)) / 2 and kept[1] == png(line_art)


def test_without_executed_notebooks_it_says_what_to_do(tmp_path):
    with pytest.raises(UsageProblem, match="make demo"):
        write_pages(tmp_path, tmp_path / "pages")
    assert not (tmp_path / "pages").exists()
