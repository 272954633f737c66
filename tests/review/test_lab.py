"""The viewer in a real JupyterLab: keys, a slider, verdicts that outlive the kernel."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from helpers import paths
from helpers.review.store import read_lines
from tests.notebook.test_notebooks import REVIEW, parameters_cell
from tests.review.controls import try_all
from tests.review.runs import CASES, write_data, write_run

START_S, CELLS_S = 60, 90


@contextlib.contextmanager
def lab(folder, root):
    """Address of a JupyterLab that serves `folder`, with its settings and kernels kept away from the user's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = folder / "home"
    places = {name: str(home / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--IdentityProvider.token=",
        f"--ServerApp.root_dir={folder}", "--allow-root", "--ServerApp.disable_check_xsrf=True",
        f"--LabApp.user_settings_dir={home / 'settings'}", f"--LabApp.workspaces_dir={home / 'workspaces'}",
    ]  # fmt: skip
    environment = {**os.environ, **places, paths.ROOT_VARIABLE: str(root)}
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + START_S
    try:
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api", timeout=2):
                break
            assert process.poll() is None and time.monotonic() < end, (folder / "lab.log").read_text()
            time.sleep(0.3)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def write_notebook(path, **values):
    node = nbformat.read(REVIEW, as_version=4)
    cell = parameters_cell(node)
    for name, value in values.items():
        cell.source, count = re.subn(rf"(?m)^({name}: \w+ =) .*$", lambda m, v=value: f"{m[1]} {v!r}", cell.source)
        assert count == 1
    nbformat.write(node, path)


def run_all(page):
    """All cells in a fresh kernel, until the viewer shows a case."""
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)
    page.keyboard.press("Escape")
    page.locator(".lm-MenuBar-itemLabel", has_text="Kernel").click()
    page.locator(".lm-Menu-itemLabel", has_text="Restart Kernel and Run All Cells").click()
    page.click(".jp-Dialog button.jp-mod-warn, .jp-Dialog button.jp-mod-accept")
    page.wait_for_function("() => !document.querySelector('.vesselkit-review')", timeout=30_000)
    page.wait_for_selector(".vesselkit-review [data-score=dice]", timeout=CELLS_S * 1000)
    page.locator(".vesselkit-review").scroll_into_view_if_needed()
    page.wait_for_timeout(500)


@pytest.mark.slow
@pytest.mark.longest
def test_keys_sliders_and_verdicts_in_jupyterlab(browser, tmp_path):
    root, folder = tmp_path / "root", tmp_path / "lab"
    folder.mkdir()
    write_data(root / "data")
    write_run(root / "outputs/demo/predict/run")
    write_run(root / "outputs/demo/predict/other", seed=7)
    write_run(root / "outputs/demo/predict/third", seed=9)
    named = {"predictions": "run", "against": ["other"], "beside": ["third"]}
    write_notebook(folder / "review.ipynb", data="data", reviewer="ann", **named)
    verdicts = root / "outputs/demo/review/run/verdicts/ann.jsonl"
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    page = context.new_page()
    try:
        with lab(folder, root) as address:
            page.goto(f"{address}/lab/tree/review.ipynb?reset")
            page.wait_for_selector(".jp-NotebookPanel", timeout=60_000)
            page.wait_for_selector(".jp-RenderedMarkdown h1", timeout=60_000)
            run_all(page)
            viewer = page.locator(".vesselkit-review")
            viewer.focus()
            assert page.inner_text("figure:has([data-panel='4']) figcaption b") == "third"
            assert 0 < float(page.inner_text("[data-dice='4']")) < 1
            # r, a and z mean other things in JupyterLab's own command mode
            for key, said in {"3": "", "r": "reject", "f": "fix", "a": "accept", "z": "taken back"}.items():
                page.keyboard.press(key)
                page.wait_for_selector(f".vk-card [role=status]:text('{said}')", timeout=20_000, state="attached")
                page.wait_for_timeout(250)
            assert page.inner_text(".vk-progress") == "ann: 2 of 6 reviewed, 1 rejected"
            found = read_lines(verdicts)
            assert [one.verdict for one in found] == ["reject", "fix", "accept", None]
            assert found[0].reasons == ("broken vessel",) and found[0].case_id == CASES[0]
            page.keyboard.press("Home")
            page.wait_for_function("(id) => document.querySelector('.vk-id').textContent === id", arg=CASES[0])
            page.wait_for_timeout(500)
            before = page.inner_text("[data-score=precision]")
            for _ in range(60):
                page.keyboard.press("ArrowDown")
            changed = "(before) => document.querySelector('[data-score=precision]').textContent !== before"
            page.wait_for_function(changed, arg=before)
            cells = page.locator(".jp-Notebook-cell, .jp-Cell").count()
            page.keyboard.press("d")
            page.keyboard.press("d")  # would delete a cell in command mode
            assert page.locator(".jp-Notebook-cell, .jp-Cell").count() == cells
            page.screenshot(path=tmp_path / "lab.png")
            run_all(page)
            assert page.inner_text(".vk-progress") == "ann: 2 of 6 reviewed, 1 rejected"
            page.screenshot(path=tmp_path / "again.png")
            try_all(page)
            assert page.locator(".jp-Notebook-cell, .jp-Cell").count() == cells
    finally:
        page.screenshot(path=tmp_path / "end.png")
        context.close()
