"""Versions of installed packages."""

from functools import cache
from importlib import metadata


@cache
def version(name: str) -> str:
    """The version of an installed package, looked up once: its record is a page of text that takes milliseconds.

    Raises:
        PackageNotFoundError: where it is not installed.
    """
    return metadata.version(name)
