"""`import vesselkit`: light, complete, and honest where another `helpers` is in the way."""

import inspect
import subprocess
import sys
import zipfile
from itertools import product
from pathlib import Path

import pytest

import helpers
from helpers.cli.predict import predict as predict_command
from tests.support.fixture_model import ENVIRONMENT

ROOT = Path(helpers.__file__).resolve().parents[1]
FUNCTIONS = ("convert", "evaluate", "load_model", "open_review", "predict")


def python(folder, code, *, path=ROOT):
    """What Python says that is started in a folder, which stands first on its path."""
    environment = {**ENVIRONMENT, "PYTHONPATH": str(path)}
    # With -c the working directory stands first on the path, before those of PYTHONPATH.
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_the_import_is_light(tmp_path):
    code = (
        "import sys, time; before = time.perf_counter(); import helpers.api as vesselkit; "
        "took = time.perf_counter() - before; vesselkit.__version__; dir(vesselkit); "
        "heavy = {'torch', 'numpy', 'pandas', 'transformers', 'typer'} & sys.modules.keys(); print(took, sorted(heavy))"
    )
    fastest = min(float(python(tmp_path, code).stdout.split()[0]) for _ in range(2))
    assert python(tmp_path, code).stdout.split(maxsplit=1)[1].strip() == "[]"
    assert fastest < 0.3


def test_every_public_name_is_there(vesselkit):
    assert vesselkit.__version__ == helpers.__version__
    assert set(vesselkit.__all__) <= set(dir(vesselkit))
    assert set(FUNCTIONS) | {"__version__", "VesselkitError", "UsageProblem", "RefusedInput"} == set(vesselkit.__all__)
    for name in FUNCTIONS:
        assert callable(getattr(vesselkit, name))
    with pytest.raises(AttributeError, match="'predicts'; it has"):
        _ = vesselkit.predicts


def test_type_checkers_see_what_is_loaded_late(vesselkit):
    text = Path(vesselkit.__file__).read_text(encoding="utf-8")
    block = text.split("if TYPE_CHECKING:\n")[1].split("\n\n")[0]
    seen = {line.split(" as ")[1]: line.split()[1] for line in block.splitlines()}
    assert seen == vesselkit._HOMES and set(seen) == set(vesselkit.__all__)


def test_functions_are_documented(vesselkit):
    for name in FUNCTIONS:
        text = inspect.getdoc(getattr(vesselkit, name))
        assert all(part in text for part in ("Args:", "Raises:", "Example:", ">>> import vesselkit")), name
        parameters = inspect.signature(getattr(vesselkit, name)).parameters
        assert [one for one in parameters if one not in text.split("Raises:")[0]] == [], name


def test_predict_knows_every_option_of_the_command(vesselkit):
    command = set(inspect.signature(predict_command).parameters)
    function = set(inspect.signature(vesselkit.predict).parameters)
    rules = {"layout", "ids", "id_key", "group_by", "split"}
    assert command - rules == function - {"rules", "prompts"} | {"prompt"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "use"),
    [
        *product(("helpers.py", "helpers/__init__.py"), ("vesselkit.predict", "vesselkit.__version__")),
        ("helpers.py", "from vesselkit import predict"),
        ("helpers/own.py", "from vesselkit import RefusedInput"),
    ],
)
def test_a_helpers_of_the_users_own_is_named(tmp_path, wheel, name, use):
    path = tmp_path / "project" / name
    path.parent.mkdir(parents=True)
    path.write_text("A = 1\n")
    ended = python(path.parents[name.count("/")], f"import vesselkit; {use}", path=wheel)
    if name == "helpers/own.py":  # no package of Python's: the kit's own stands before it
        assert ended.returncode == 0, ended.stderr
        return
    shown = path.parent if name.endswith("__init__.py") else path
    said = ended.stderr.splitlines()[-1]
    expected = f"ImportError: vesselkit: expected its own package 'helpers', found {shown} in its place."
    assert ended.returncode == 1 and said == f"{expected} Rename that, or start Python in another folder"


@pytest.mark.slow
def test_the_command_names_it_too(tmp_path, wheel):
    (tmp_path / "helpers.py").write_text("A = 1\n")
    ended = python(tmp_path, "from vesselkit import main; main()", path=wheel)
    assert ended.returncode == 2 and ended.stdout == "" and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"Error: vesselkit: expected its own package 'helpers', found {tmp_path}")


@pytest.mark.slow
def test_a_helpers_that_was_imported_before_is_named(tmp_path, wheel):
    (tmp_path / "helpers.py").write_text("A = 1\n")
    ended = python(tmp_path, "import helpers, vesselkit; print(helpers.A); vesselkit.predict", path=wheel)
    assert ended.stdout == "1\n" and f"found {tmp_path / 'helpers.py'} in its place" in ended.stderr


@pytest.mark.slow
@pytest.mark.endurance
def test_the_wheel_gives_both_packages(tmp_path, wheel):
    code = "import vesselkit as v; print(v.__version__, v.load_model.__module__, v.load_model.__code__.co_filename)"
    ended = python(tmp_path, code, path=wheel)
    assert ended.returncode == 0, ended.stderr
    version, module, file = ended.stdout.split()
    assert (version, module) == (helpers.__version__, "helpers.prediction.image_predictor")
    assert Path(file).is_relative_to(wheel) and (wheel / "vesselkit" / "py.typed").is_file()
    shown = python(tmp_path, "import sys, vesselkit; sys.argv = ['v', '--version']; vesselkit.main()", path=wheel)
    assert (shown.returncode, shown.stdout) == (0, f"vesselkit {helpers.__version__}\n")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The unpacked wheel of this checkout."""
    pytest.importorskip("setuptools", minversion="70.1")
    folder = tmp_path_factory.mktemp("wheel")
    # From a copy, since a build leaves files beside its sources.
    source = folder / "source"
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    copied = subprocess.run(
        [*listing, "helpers", "pyproject.toml", "README.md", "LICENSE"], cwd=ROOT, capture_output=True
    )
    if copied.returncode:
        pytest.skip("this is no git checkout, so that there is no list of its files")
    for name in filter(None, dict.fromkeys(copied.stdout.decode().split("\0"))):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).symlink_to(ROOT / name)
    build = [sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "--no-build-isolation", "-w", str(folder)]
    ended = subprocess.run(build, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (built,) = folder.glob("vesselkit-*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "unpacked")
    names = {path.name for path in (folder / "unpacked").iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"helpers", "vesselkit"}
    return folder / "unpacked"
