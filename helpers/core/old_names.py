"""Modules that people start or import by names from before version 0.2: they still answer, and say the new name."""

import importlib
import sys
import warnings
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# What README, docs and configs of 0.1 named.
MOVED = {
    "helpers.demo": "helpers.dev.demo",
    "helpers.demo.data": "helpers.dev.demo.demo_data",
    "helpers.demo.gate": "helpers.dev.demo.demo_gate",
    "helpers.demo.pages": "helpers.dev.demo.pages",
    "helpers.notebook.reference": "helpers.notebook.parameter_table",
    "helpers.notebook.report": "helpers.notebook.notebook_report",
    "helpers.runner": "helpers.train.test_route",
    "helpers.runner.test": "helpers.train.test_route.test_command",
    "helpers.training": "helpers.train.fine_tuning",
    "helpers.training.train": "helpers.train.fine_tuning.fine_tune",
}
# Packages and modules of 0.1 that went; docs/architecture.md shows where their content lies now.
GONE = {
    *("atomic", "bench", "checkpoint", "cine", "configs", "conversion", "demo", "doctor", "errors", "figures", "gate"),
    *("images", "importing", "inference", "only_process", "paths", "pipeline", "quantization", "refseg", "runner"),
    *("sa2va", "stamp", "synthesis", "system", "tables_text", "training", "tuning", "vesselness", "worker_processes"),
}


class OldNames(MetaPathFinder, InspectLoader):
    """Finds modules by their old names, which no module has today."""

    def find_spec(self, fullname: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Raises ModuleNotFoundError for a module of 0.1 that has no second name."""
        if fullname in MOVED:
            return ModuleSpec(fullname, self, is_package=False)
        above, _, rest = fullname.partition(".")
        if above == "helpers" and rest.partition(".")[0] in GONE:
            raise ModuleNotFoundError(
                f"no module {fullname}: version 0.2 moved it, and docs/architecture.md shows where to. A notebook "
                "copied from 0.1 is to be copied again (make lab)",
                name=fullname,
            )
        return None

    def get_source(self, fullname: str) -> str:
        """What `python -m` runs."""
        new = MOVED[fullname]
        return (
            f"import runpy\nfrom helpers.core.old_names import warn\nwarn({fullname!r})\n"
            f"runpy.run_module({new!r}, run_name='__main__', alter_sys=True)\n"
        )

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        warn(module.__name__)
        sys.modules[module.__name__] = importlib.import_module(MOVED[module.__name__])


def warn(old: str) -> None:
    """Say once where a module is now."""
    warnings.warn(f"{old} is now {MOVED[old]}", FutureWarning, stacklevel=2)


def install() -> None:
    """Let old names be found in this process."""
    if not any(isinstance(finder, OldNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, OldNames())
