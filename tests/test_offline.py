"""No test, and nothing that a test starts, reaches another machine."""

import socket
import subprocess
import sys

import pytest

from tests.support.offline.no_network import NetworkTried

ELSEWHERE = "192.0.2.1"  # of the addresses that are kept for documentation


def test_this_process_stays_on_its_machine():
    with socket.socket() as one, pytest.raises(NetworkTried, match=f"a connection to {ELSEWHERE} was tried"):
        one.connect((ELSEWHERE, 80))
    with pytest.raises(NetworkTried, match="huggingface"):
        socket.getaddrinfo("huggingface.co", 443)


def test_loopback_stays_open():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as one:
        assert one.getpeername() == server.getsockname()


def test_what_a_test_starts_stays_there_too():
    script = f"import socket; socket.create_connection(('{ELSEWHERE}', 80), timeout=1)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert found.returncode == 1 and "NetworkTried" in found.stderr
