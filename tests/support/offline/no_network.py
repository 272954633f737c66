"""Refuses what would leave this machine: nothing that the kit does at run time may need a network."""

import ipaddress
import socket

_LOOKUP = socket.getaddrinfo
_CONNECT, _CONNECT_EX = socket.socket.connect, socket.socket.connect_ex


class NetworkTried(RuntimeError):
    """No OSError: libraries take those for a network that is down, and go on."""


def block() -> None:
    """From now on this process reaches no other machine, and looks up no other's name."""
    socket.getaddrinfo = _getaddrinfo
    socket.socket.connect, socket.socket.connect_ex = _connect, _connect_ex


def _getaddrinfo(host, *arguments, **options):
    _require_local(host)
    return _LOOKUP(host, *arguments, **options)


def _connect(self, address):
    _check(self, address)
    return _CONNECT(self, address)


def _connect_ex(self, address):
    _check(self, address)
    return _CONNECT_EX(self, address)


def _check(connection: socket.socket, address) -> None:
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        _require_local(address[0])


def _require_local(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", socket.gethostname()):
        return
    try:
        if ipaddress.ip_address(name).is_loopback or ipaddress.ip_address(name).is_unspecified:
            return
    except ValueError:
        pass  # a name of another machine
    raise NetworkTried(f"a connection to {name} was tried; tests, and the kit at run time, stay on this machine")
