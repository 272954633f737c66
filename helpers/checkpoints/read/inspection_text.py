"""Words about a checkpoint: sizes, values and text of the file itself, each safe to show in a terminal."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


def bytes_text(size: int) -> str:
    """A size in decimal units, three significant digits: 1_234_567 -> '1.23 MB'."""
    value = float(size)
    unit = 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{size} B" if unit == 0 else f"{value:.3g} {_UNITS[unit]}"


def shown(value: object) -> str:
    """A value in one line: 'unknown' for None, a list joined by blanks."""
    if value is None:
        return "unknown"
    if isinstance(value, list):
        return " ".join(str(item) for item in value) or "none"
    return f"{value:g}" if isinstance(value, float) else printable(str(value))


def printable(text: str) -> str:
    """The text without control characters: a file's text must not steer the terminal. Line ends and tabs stay."""
    return "".join(mark if mark.isprintable() or mark in "\n\t" else "?" for mark in text)


def empty_text(count: int, tensors: int) -> str:
    """What empty tensors of a checkpoint mean."""
    return (
        f"{count} of {tensors} tensors hold no values: they were saved under DeepSpeed ZeRO-3 without gathering the "
        "shares of its processes, and the values are not in this file"
    )
