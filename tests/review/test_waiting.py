"""A kernel that runs other cells answers late: what it says then is shown."""

from tests.support.correcting import stroke
from tests.support.made_viewer import open_tools

_IN_A_NOTEBOOK = """() => {
  const { facts, payload } = made(1), root = document.createElement("div");
  globalThis.sent = [];
  const model = {
    send: (message) => sent.push(message), get: (name) => ({ facts, reviewer: "ann" })[name],
    on: (_, heard) => { globalThis.heard = heard; }, off: () => {},
  };
  globalThis.answer = (error) => {
    for (const { ticket, case_id } of sent.splice(0)) {
      heard({ ticket, error, payload: case_id && payload(case_id) });
    }
  };
  document.body.append(root);
  kit.default.render({ model, el: root });
}"""


def test_a_case_that_comes_late_is_shown(browser):
    page = open_tools(browser)
    page.clock.install()
    page.evaluate(_IN_A_NOTEBOOK)
    page.clock.run_for(21_000)
    assert page.inner_text(".vk-note >> nth=0") == (
        "this case cannot be shown: the kernel does not answer. Is it busy, or was it restarted?"
    )
    page.keyboard.press("a")
    assert "the case is still loading" in page.inner_text(".vk-card [role=status]")
    page.evaluate("() => answer()")  # the cell before has ended
    page.wait_for_function("() => sent.length === 1")
    page.evaluate("() => answer()")
    _run_until(page, lambda: "no prediction: no_seg" in page.text_content("figure:nth-child(3) .vk-note"))
    assert page.text_content(".vk-note >> nth=0") == ""
    page.close()


def test_a_verdict_that_waits_for_the_kernel_is_never_said_to_be_lost(browser):
    """A kernel that is busy for longer than any patience: the verdict waits for it, and then counts."""
    page = open_tools(browser)
    page.clock.install()
    page.evaluate(_IN_A_NOTEBOOK)
    page.evaluate("() => answer()")
    _run_until(page, lambda: "no_seg" in page.text_content("figure:nth-child(3) .vk-note"))
    said = ".vk-card [role=status]"
    page.keyboard.press("a")
    page.clock.run_for(1000)
    assert page.inner_text(said) == ""
    page.clock.run_for(1000)
    waits = page.inner_text(said)
    assert waits.startswith("Waiting for the kernel to save this verdict")
    page.clock.run_for(120_000)
    assert page.inner_text(said) == waits and page.inner_text(".vk-progress") == "ann: 0 of 1 reviewed, 0 rejected"
    page.keyboard.press("r")
    assert "Still saving the previous verdict" in page.inner_text(said)
    assert page.evaluate("() => sent.filter(({ kind }) => kind === 'save').length") == 1
    page.evaluate("() => answer()")  # the cell before has ended
    _run_until(page, lambda: page.inner_text(".vk-progress") == "ann: 1 of 1 reviewed, 0 rejected")
    assert page.inner_text(said).startswith("c0: accept")
    page.keyboard.press("z")
    page.clock.run_for(60_000)
    assert page.inner_text(said) == waits
    page.evaluate("() => answer('the disk is full')")
    _run_until(page, lambda: page.inner_text(said) == "Not saved: the disk is full")
    page.clock.run_for(5000)
    assert page.inner_text(said) == "Not saved: the disk is full"
    page.close()


def test_a_model_that_does_not_answer_is_told_and_can_be_asked_again(browser):
    """As after a restart of the kernel; while it carries, its progress shows that it is at work."""
    page = open_tools(browser)
    page.clock.install()
    page.evaluate(_IN_A_NOTEBOOK.replace("root =", "one = facts.cases[0], root =").replace(
        "globalThis.sent", "facts.clicks = 'w'; one.sequence = 's'; facts.cases.push({ ...one, case_id: 'c1' }); "
        "globalThis.sent"
    ))  # fmt: skip
    page.evaluate("() => answer()")
    _run_until(page, lambda: "no_seg" in page.text_content("figure:nth-child(3) .vk-note"))
    said, silent = ".vk-card [role=status]", "the kernel does not answer. Is it busy, or was it restarted?"
    page.focus(".vesselkit-review")
    for key in ("E", "P"):
        page.keyboard.press(key)
    page.evaluate("() => answer()")  # the next case, and the frame that is read ahead
    for _ in range(2):
        stroke(page, (64, 64), (20, 30))
        _run_until(page, lambda: page.evaluate("() => sent.length === 1"))
        asked = page.evaluate("() => sent.pop()")
        assert page.inner_text(said) == "Asking the model …" and asked["kind"] == "click"
        page.clock.run_for(21_000)
        assert page.inner_text(said) == silent and page.inner_text(".vk-corrected") == "correcting"
    late = "async (ticket) => heard({ ticket, masks: [await kit.packedMask(new Uint8Array(4096).fill(1))] })"
    page.evaluate(late, asked["ticket"])
    _run_until(page, lambda: page.inner_text(".vk-corrected") == "correcting · unsaved")
    page.keyboard.press("s")
    _run_until(page, lambda: page.evaluate("() => sent.length === 1"))
    page.evaluate("() => answer()")
    _run_until(page, lambda: "the correction is saved" in page.inner_text(said))
    page.keyboard.press("F")
    carry = page.evaluate("() => sent.pop()")
    assert carry["kind"] == "carry"
    for done in (1, 2, 3):
        page.clock.run_for(15_000)
        page.evaluate(f"() => heard({{ ticket: {carry['ticket']}, progress: [{done}, 4] }})")
        page.clock.run_for(100)
        assert page.inner_text(said) == f"Carrying: {done} of 4 frames" and page.is_visible(".vk-editing progress")
    page.clock.run_for(21_000)
    assert page.inner_text(said) == silent and page.is_hidden(".vk-editing progress")
    page.keyboard.press("E")
    page.keyboard.press("ArrowRight")
    _run_until(page, lambda: page.inner_text(".vk-id") == "c1" and page.inner_text(".vk-status") == "no_seg")
    page.evaluate("() => sent.splice(0)")
    page.evaluate(f"() => heard({{ ticket: {carry['ticket']}, said: '1 mask carried', waiting: ['c1'] }})")  # late
    _run_until(page, lambda: page.inner_text(said) == "1 mask carried")
    assert page.evaluate("() => sent.map(({ kind, case_id }) => `${kind} ${case_id}`)") == ["load c1"]  # with its mask
    page.close()


def _run_until(page, reached):
    for _ in range(100):
        page.clock.run_for(50)
        if reached():
            return
    raise AssertionError("the screen did not get there")
