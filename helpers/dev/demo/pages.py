"""The notebooks that `make demo` ran, as pages for those who have not run it: `python -m helpers.dev.demo.pages`."""

import base64
import io
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell
from PIL import Image

from helpers.core.atomic import write_text_atomic
from helpers.core.errors import UsageProblem, VesselkitError
from helpers.core.paths import Stage, project_root
from helpers.dev.demo.demo_pipeline import STAMP, default_output
from helpers.notebook.notebook_report import report_html
from helpers.notebook.parameters import NOTEBOOK_FORMAT

_NOTICE = f"*What `make demo` gave ({STAMP}). Code is left out. Not for clinical use.*"
_WIDTH = 1200  # pixels
_QUALITY = 65  # of a picture in a page, so that pages stay small enough for the repository


def write_pages(notebooks: Path, folder: Path) -> list[Path]:
    """Write one HTML page for each executed notebook, with its prose and results and without its code.

    Args:
        notebooks: folder of executed notebooks.
        folder: made where it is missing; pages of the same names are replaced.

    Raises:
        UsageProblem: where there are no notebooks.
    """
    found = sorted(path for path in notebooks.glob("*.ipynb") if not path.name.endswith(".failed.ipynb"))
    if not found:
        raise UsageProblem(f"{notebooks}: expected executed notebooks, found none. Run `make demo` first")
    folder.mkdir(parents=True, exist_ok=True)
    return [_write_page(path, folder / f"{path.stem}.html") for path in found]


def _write_page(notebook: Path, page: Path) -> Path:
    node = nbformat.read(notebook, as_version=NOTEBOOK_FORMAT)
    node.cells.insert(0, new_markdown_cell(_NOTICE))
    for cell in node.cells:
        for output in cell.get("outputs", []):
            picture = output.get("data", {}).get("image/png")
            if picture is not None:
                _lessen(output, picture)
    write_text_atomic(page, report_html(node, page.stem))
    return page


def _lessen(output: nbformat.NotebookNode, png: str) -> None:
    """Hold a picture (base64) as JPEG with the full resolution of its colours, where that is smaller.

    One that is wider than pages show it is made so wide: 4-panel pictures have the pixels of their frames.
    """
    kept = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    picture.thumbnail((_WIDTH, picture.height), Image.Resampling.LANCZOS)
    picture.save(kept, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    jpeg = base64.b64encode(kept.getvalue()).decode()
    if len(jpeg) < len(png):
        del output.data["image/png"]
        output.data["image/jpeg"] = jpeg
        output.metadata["image/jpeg"] = output.metadata.pop("image/png", {})  # the alternative text


def main() -> int:
    """Write the demo's pages to docs/pages."""
    try:
        pages = write_pages(default_output() / Stage.NOTEBOOKS.value, project_root() / "docs" / "pages")
    except VesselkitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    for page in pages:
        sys.stdout.write(f"{page.relative_to(project_root())}: {page.stat().st_size / 1e6:.2f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
