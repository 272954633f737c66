"""vesselkit: from a fine-tuned Sa2VA checkpoint to scored and reviewed masks, in a few calls.

    import vesselkit

    vesselkit.convert("iter_3672.pth", "my-model", base="InternVL3-8B", sam2="sam2_hiera_large.pt")
    run = vesselkit.predict("my-model", "my-data", "my-run")
    scores = vesselkit.evaluate(run, "my-data", "my-scores")
    print(scores.score("dice"))

This package is installed as `vesselkit`; everything else of the kit is the package `helpers`. A function is loaded when
it is first used, so that the import costs no time. Where another `helpers` is in the way, the first use says so.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helpers import __version__ as __version__
    from helpers.core.errors import RefusedInput as RefusedInput
    from helpers.core.errors import UsageProblem as UsageProblem
    from helpers.core.errors import VesselkitError as VesselkitError
    from helpers.prediction.image_predictor import load_model as load_model
    from helpers.stages.convert_stage import convert as convert
    from helpers.stages.evaluate_stage import evaluate as evaluate
    from helpers.stages.predict_stage import predict as predict
    from helpers.stages.review_stage import open_review as open_review

# Where each public name lives.
_HOMES = {
    "RefusedInput": "helpers.core.errors",
    "UsageProblem": "helpers.core.errors",
    "VesselkitError": "helpers.core.errors",
    "__version__": "helpers",
    "convert": "helpers.stages.convert_stage",
    "evaluate": "helpers.stages.evaluate_stage",
    "load_model": "helpers.prediction.image_predictor",
    "open_review": "helpers.stages.review_stage",
    "predict": "helpers.stages.predict_stage",
}
# A file that only the kit's own package has.
_MARK = Path("model", "configuration_sa2va.py")

__all__ = [
    "RefusedInput",
    "UsageProblem",
    "VesselkitError",
    "__version__",
    "convert",
    "evaluate",
    "load_model",
    "open_review",
    "predict",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    if _in_the_way is not None:
        raise ImportError(_in_the_way)
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def main() -> None:
    """Run the command `vesselkit`; where another `helpers` is in the way, say so in one line, with exit code 2."""
    if _in_the_way is not None:
        sys.stderr.write(f"Error: {_in_the_way}\n")
        raise SystemExit(2)
    from helpers.cli.app import main as run_command

    run_command()


def _other_helpers() -> str | None:
    """What to tell the user where `import helpers` does not give the kit's package; None where it does."""
    loaded = sys.modules.get("helpers")
    try:
        spec = find_spec("helpers") if loaded is None else loaded.__spec__
    except ValueError:  # a module without a spec
        spec = None
    if spec is None and loaded is None:
        return "vesselkit: expected its package 'helpers', found none. Install vesselkit again"
    folders = list(getattr(loaded, "__path__", ())) if spec is None else list(spec.submodule_search_locations or ())
    if any((Path(folder) / _MARK).is_file() for folder in folders):
        return None
    place = getattr(loaded, "__file__", None) if spec is None else spec.origin
    if place is None or Path(place).name == "__init__.py":
        place = folders[0] if folders else "a module made in memory"
    return (
        f"vesselkit: expected its own package 'helpers', found {place} in its place. Rename that, or start Python in "
        "another folder"
    )


_in_the_way = _other_helpers()
if _in_the_way is None:
    import_module("helpers")  # so that no other one can come in between
