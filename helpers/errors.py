"""The errors a user can meet, each tied to one exit code of the command line.

A message says what was expected, what came, and what to do; it names the file.
"""


class VesselkitError(Exception):
    """Base of every error that the kit raises on purpose. Exit code 1."""

    exit_code = 1


class Stopped(VesselkitError):
    """The user or a scheduler ended the work; what was finished is kept. Exit code 130, as for any Ctrl-C."""

    exit_code = 130


class UsageProblem(VesselkitError):
    """A command or notebook was called with parameters that cannot work. Exit code 2."""

    exit_code = 2


class RefusedInput(VesselkitError):
    """An input file was read as far as needed and refused. Exit code 3."""

    exit_code = 3
