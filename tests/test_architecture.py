"""docs/architecture.md names the packages, artefacts and import rules that the code has."""

import re
from pathlib import Path

from typer.main import get_command

import helpers
from helpers.cli.app import app
from helpers.model import configuration_sa2va
from helpers.review.films import film_export
from tests.test_layers import RANK

ROOT = Path(helpers.__file__).resolve().parent
DOCS = ROOT.parent / "docs"
TEXT = (DOCS / "architecture.md").read_text(encoding="utf-8")


def rows(title):
    """The cells of the table under the heading, without its head."""
    section = TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def words(cell):
    return re.findall(r"`([^`]+)`", cell)


def test_packages_are_listed_from_the_top_layer_down():
    listed = [words(cells[0])[0] for cells in rows("Packages")]
    assert sorted(listed, key=lambda package: -RANK[package]) == listed and set(listed) == set(RANK)


def schemas():
    """Every schema that the code names, with the version beside its name."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py"))
    found = re.findall(r'"(vesselkit(?:\.[a-z-]+)+)"\D{0,40}?(\d+)', text)
    assert len(found) == len(set(re.findall(r'"(vesselkit(?:\.[a-z-]+)+)"', text)))
    return {(name, version) for name, version in found}


def test_artefacts_have_the_schemas_and_versions_of_the_code():
    named = {(words(schema)[0], version) for _, _, schema, version, _ in rows("Artefacts")}
    others = {
        ("sa2va_format_version", str(configuration_sa2va.FORMAT_VERSION)),
        ("format_version", str(film_export.FORMAT_VERSION)),
    }
    assert named == schemas() | others


def test_what_writes_them_is_a_command():
    arrows = re.findall(r'-->\|"?([a-z-]+)', TEXT)
    writers = [word.split()[0] for _, by, _, _, _ in rows("Artefacts") for word in words(by)]
    assert len(arrows) > 6 and len(writers) > 10
    assert set(arrows) | set(writers) <= set(get_command(app).commands) | set(get_command(app).commands["dev"].commands)


def test_documents_speak_of_their_artefacts():
    for files, _, _, _, link in rows("Artefacts"):
        document = (DOCS / re.search(r"\((.+)\)", link)[1]).read_text(encoding="utf-8")
        assert all(file in document for file in words(files)), files


def test_files_that_the_page_names_exist():
    text = TEXT.split("## Where to add")[1]
    names = [word for word in words(text) if re.search(r"\.py$|^helpers/", word)]
    assert len(names) > 8
    for name in names:
        assert list(ROOT.parent.glob(name)) or list(ROOT.rglob(name)), name
    for name in ("DEFINITIONS", "LANGUAGE_MODELS", "_LANGUAGE_MODELS", "Predictor", "VesselnessPredictor"):
        assert name in words(text)
        assert any(
            re.search(rf"^(class )?{name}\b", path.read_text(encoding="utf-8"), re.MULTILINE)
            for path in ROOT.rglob("*.py")
        ), name
