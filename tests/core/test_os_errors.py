"""Errors of the system are told in words, and its request to end is an interrupt."""

import errno
import os
import signal
import threading

import pytest

from helpers.core.errors import VesselkitError, exit_as_interrupted, explain_os_errors, in_words


def system_error(number, path=None):
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize(
    ("number", "found", "advice"),
    [
        (errno.ENOSPC, "the disk became full", "Free some space"),
        (errno.EDQUOT, "the disk became full", "your quota is used up"),
        (errno.EFBIG, "the disk became full", "your quota or the largest size of a file (`ulimit -f`) raised"),
        (errno.EROFS, "cannot be written (Read-only file system)", "Name another folder"),
        (errno.EACCES, "access was denied (Permission denied)", "give yourself access"),
        (errno.EIO, "the disk or network drive failed (Input/output error)", "Check that the disk or network drive is"),
        (errno.ESTALE, "the disk or network drive failed (Stale file handle)", "Check that the disk or network drive"),
        (errno.ENOENT, "no longer exists (No such file", "Check that the disk or network drive is"),
        (errno.ENAMETOOLONG, "a name is too long for this disk", "shorter path"),
    ],
)
def test_errors_of_the_disk_have_words(number, found, advice):
    words = in_words(system_error(number))
    assert words.found.startswith(found) and advice in words.advice
    with pytest.raises(VesselkitError) as raised, explain_os_errors():
        raise system_error(number, "/data/x.json")
    message = str(raised.value)
    assert message.startswith(f"/data/x.json: {found}") and message.endswith("then give the same command again")


def test_errors_that_say_nothing_of_the_disk_go_on():
    assert in_words(IsADirectoryError(errno.EISDIR, "no")) is None
    for error in (IsADirectoryError(errno.EISDIR, "no"), ValueError("no"), OSError("no")):
        with pytest.raises(type(error), match="no"), explain_os_errors():
            raise error


def test_want_of_memory_is_told():
    with (
        pytest.raises(
            VesselkitError, match=r"the memory ran out. .*less done at a time .* give the same command again"
        ),
        explain_os_errors(),
    ):
        raise MemoryError


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_is_an_interrupt_within_the_block_alone(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), exit_as_interrupted():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_what_was_to_be_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with exit_as_interrupted():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_change_no_signals():
    found = []

    def enter():
        with exit_as_interrupted():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]
