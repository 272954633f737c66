"""Leaves out of a process what takes long to import and serves nothing here."""

import sys


def leave_out() -> None:
    """jsonschema, without which no notebook is read, makes a grammar of addresses where it can: seconds a process."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # as not installed
