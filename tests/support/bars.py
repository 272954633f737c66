"""Where bars are shown in tests."""

from contextlib import contextmanager

from helpers.core.progress import shown_on


class Record:
    """Keeps what it is shown."""

    def __init__(self):
        self.told = []

    def begun(self, bar):
        self.told.append(("begun", bar.what, bar.total, bar.unit, bar.initial, bar.done))

    def moved(self, bar):
        self.told.append(("moved", bar.what, bar.done, bar.note))

    def ended(self, bar):
        self.told.append(("ended", bar.what))

    @property
    def ends(self):
        """What was done in the end, by what it was."""
        return {one[1]: one[2] for one in self.told if one[0] == "moved"}


@contextmanager
def recorded():
    """A record of the bars within the block."""
    record = Record()
    with shown_on(record):
        yield record
