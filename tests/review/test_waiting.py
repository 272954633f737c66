"""A kernel that runs other cells answers late: what it says then is shown."""

from tests.review.made_viewer import open_tools

_IN_A_NOTEBOOK = """() => {
  const { facts, payload } = made(1), root = document.createElement("div");
  globalThis.sent = [];
  const model = {
    send: (message) => sent.push(message), get: (name) => ({ facts, reviewer: "ann" })[name],
    on: (_, heard) => { globalThis.heard = heard; }, off: () => {},
  };
  globalThis.answer = () => {
    for (const { ticket, case_id } of sent.splice(0)) heard({ ticket, payload: payload(case_id) });
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
    assert "not on the screen yet" in page.inner_text(".vk-card [role=status]")
    page.evaluate("() => answer()")  # the cell before has ended
    page.wait_for_function("() => sent.length === 1")
    page.evaluate("() => answer()")
    for _ in range(100):
        page.clock.run_for(50)
        if "no prediction: no_seg" in page.text_content("figure:nth-child(3) .vk-note"):
            break
    else:
        raise AssertionError("the case was not shown")
    assert page.text_content(".vk-note >> nth=0") == ""
    page.close()
