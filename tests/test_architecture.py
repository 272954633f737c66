"""docs/architecture.md names the packages, artefacts and import rules that the code has."""

import re
from pathlib import Path

import pytest

import helpers
from helpers.cine import export
from helpers.cli.registry import available_names
from helpers.sa2va import configuration_sa2va
from tests.inference.test_imports import imported, inference_modules, reached

ROOT = Path(helpers.__file__).resolve().parent
DOCS = ROOT.parent / "docs"
TEXT = (DOCS / "architecture.md").read_text(encoding="utf-8")
PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")}


def rows(title):
    """The cells of the table under the heading, without its head."""
    section = TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def words(cell):
    return re.findall(r"`([^`]+)`", cell)


ALLOWED = {words(package)[0]: set(words(may)) for package, _, may in rows("Packages")}
NEVER = [
    (package, set(words(others)) or PACKAGES - {package})
    for group, others in re.findall(r"^- ((?:`\w+` )+)never reach ([^;\n]*)", TEXT, re.MULTILINE)
    for package in words(group)
]


def package_of(module):
    return ".".join(module.split(".")[1:2])


def packages_from(package):
    return {package_of(name) for name in reached(inference_modules(package))} & PACKAGES - {package}


def test_every_package_has_its_row():
    assert set(ALLOWED) == PACKAGES


@pytest.mark.parametrize("package", sorted(PACKAGES - {"cli"}))
def test_packages_import_what_the_page_allows(package):
    modules = [".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in (ROOT / package).rglob("*.py")]
    found = {package_of(name) for module in modules for name in imported(module.removesuffix(".__init__"))}
    assert found & PACKAGES - {package} <= ALLOWED[package]


@pytest.mark.parametrize(("package", "others"), NEVER)
def test_what_must_not_be_reached_is_not(package, others):
    assert not packages_from(package) & others


def test_only_the_demo_and_the_bench_reach_training():
    found = {name for name in PACKAGES if packages_from(name) & {"training", "demo"}}
    assert found - {"cli"} == {"demo", "bench"}


def test_the_rules_were_read():
    assert ("review", {"checkpoint", "conversion", "inference", "training"}) in NEVER
    assert ("sa2va", PACKAGES - {"sa2va"}) in NEVER and len(NEVER) == 12


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
        ("format_version", str(export.FORMAT_VERSION)),
    }
    assert named == schemas() | others


def test_what_writes_them_is_a_command():
    arrows = re.findall(r'-->\|"?([a-z-]+)', TEXT)
    writers = [word.split()[0] for _, by, _, _, _ in rows("Artefacts") for word in words(by)]
    assert len(arrows) > 6 and len(writers) > 10
    assert set(arrows) | set(writers) <= set(available_names())


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
