"""A real JupyterLab and Voila, each on a port of its own, with settings and kernels kept away from the user's."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import nbformat

from helpers.core import paths
from tests.support.shipped_notebooks import set_parameters

START_S, END_S = 180, 60  # on a machine that others use too


@contextlib.contextmanager
def lab(folder: Path, root: Path) -> Iterator[str]:
    """Address of a JupyterLab that serves `folder`; the kit's project is `root`."""
    home, port = folder.resolve() / "home", _free_port()
    places = {name: str(home / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--IdentityProvider.token=",
        f"--ServerApp.root_dir={folder}", "--allow-root", "--ServerApp.disable_check_xsrf=True",
        f"--LabApp.user_settings_dir={home / 'settings'}", f"--LabApp.workspaces_dir={home / 'workspaces'}",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"

    def answers() -> str | None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api", timeout=2):
            return address
        return None

    # What a person answers once: whether JupyterLab may ask for news of itself, in a window over the notebook.
    answered = home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    answered.parent.mkdir(parents=True, exist_ok=True)
    answered.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    with _running(command, {**places, paths.ROOT_VARIABLE: str(root)}, home / "lab.log", answers) as found:
        yield found


@contextlib.contextmanager
def voila(root: Path, log: Path, parameters: Sequence[str] = ()) -> Iterator[str]:
    """Address, token and all, of what `make review` serves of the project `root`."""
    command = [sys.executable, "-m", "helpers.notebook.serve", "--no-browser", "--port", str(_free_port()), *parameters]

    def told() -> str | None:
        found = re.search(r"http://\S+token=\w+", log.read_text())
        return found and found[0]

    with _running(command, {paths.ROOT_VARIABLE: str(root)}, log, told) as found:
        yield found


def write_notebook(notebook: Path, path: Path, **values: object) -> None:
    """A copy of a notebook with other values in its cells of parameters."""
    node = nbformat.read(notebook, as_version=4)
    set_parameters(node, values)
    nbformat.write(node, path)


@contextlib.contextmanager
def _running(command: list[str], more: dict[str, str], log: Path, begun: Callable[[], str | None]) -> Iterator[str]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, env={**os.environ, **more}, stdout=file, stderr=file)
    end = time.monotonic() + START_S
    try:
        while not (found := begun()):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        yield found
    finally:
        process.terminate()
        process.wait(END_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
