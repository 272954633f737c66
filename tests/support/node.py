"""Functions of the viewer's files that need no page, called in node."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from helpers.review.viewer_facts import viewer_module

# One call a line on stdin, its answer a line on stdout.
_ANSWER = """
import { createInterface } from "node:readline";
import * as kit from "./kit.mjs";
const Body = Object.getPrototypeOf(async function () {}).constructor;
for await (const line of createInterface({ input: process.stdin })) {
  const { body, given } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await new Body("kit", "given", body)(kit, given)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
}
"""


@contextlib.contextmanager
def node(folder: Any, parts: tuple[str, ...]) -> Iterator[Any]:
    """`call(body, *given)`: what an async body gives, with the exports of some files as `kit`. Skips without node."""
    executable = shutil.which("node")
    if executable is None:
        pytest.skip("node is not installed: the viewer's functions are tried in the browser alone")
    (folder / "kit.mjs").write_text(viewer_module(parts), encoding="utf-8")
    (folder / "answer.mjs").write_text(_ANSWER, encoding="utf-8")
    process = subprocess.Popen(
        [executable, "answer.mjs"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def call(body, *given):
        process.stdin.write(json.dumps({"body": body, "given": given}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, f"node ended with {process.wait()}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    try:
        yield call
    finally:
        process.stdin.close()
        process.wait(10)
