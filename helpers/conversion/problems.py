"""What does not add up between tensors: one line for a kind of problem, however many tensors share it."""

from helpers.errors import RefusedInput

_SHOWN = 2  # tensors named in a line


class Problems:
    """Problems by their kind, in the order found."""

    def __init__(self) -> None:
        self._kinds: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def add(self, kind: str, what: str) -> None:
        """Note one: what is wrong, and with which tensor."""
        self._kinds.setdefault(kind, []).append(what)

    def raise_any(self) -> None:
        """Stop where there are any. Raises RefusedInput."""
        if not self._kinds:
            return
        lines = [_line(kind, found) for kind, found in self._kinds.items()]
        text = lines[0] if len(lines) == 1 else "\n".join(["", *(f"  - {line}" for line in lines)])
        raise RefusedInput(f"the tensors do not add up, nothing was written: {text}")


def _line(kind: str, found: list[str]) -> str:
    more = len(found) - _SHOWN
    return f"{kind}: {'; '.join(found[:_SHOWN])}" + (f"; and {more} more" if more > 0 else "")
