"""Leaves out of a process what takes long to import and serves nothing here, or not yet."""

import importlib.util
import sys
from importlib.abc import MetaPathFinder


def leave_out() -> None:
    """jsonschema, without which no notebook is read, makes a grammar of addresses where it can: seconds a process."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # as not installed


class _SeedsTorch(MetaPathFinder):
    """Gives torch its seed when a test is the first to import it, as one has it that finds torch imported."""

    asks_others = False

    def find_spec(self, name, path=None, target=None):
        if name != "torch" or self.asks_others:
            return None
        self.asks_others = True
        found = importlib.util.find_spec(name)
        self.asks_others = False
        run = found.loader.exec_module

        def run_and_seed(module):
            run(module)
            seed()

        found.loader.exec_module = run_and_seed
        return found


def seed_torch_when_imported() -> None:
    """From now on a first import of torch ends with its seed."""
    sys.meta_path.insert(0, _SeedsTorch())


def seed() -> None:
    """The seed of each test, where torch was imported."""
    torch = sys.modules.get("torch")
    if torch is None:
        return
    torch.default_generator.manual_seed(0)  # torch.manual_seed asks each kind of device first, a millisecond
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)
