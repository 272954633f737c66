"""The viewer in a notebook, its kernel played by the test: keys that pass it by, and what it keeps of verdicts."""

import base64

import pytest

from helpers.review.viewer_facts import review_facts, viewer_module
from tests.support.review_runs import GRIDDED

# `answer` sends what was asked since.
_RENDER = """async ([source, facts, payload]) => {
    const { default: widget } = await import(`data:text/javascript;base64,${source}`);
    let heard, asked = [];
    const model = {
        get: (name) => ({ facts, reviewer: "ann" })[name],
        on: (name, act) => { heard = act; },
        off: () => {},
        send: (message) => asked.push(message),
    };
    globalThis.answer = () => {
        for (const { ticket, kind, case_id } of asked.splice(0)) {
            heard(kind === "load" ? { ticket, payload: { ...payload, case_id } } : { ticket });
        }
    };
    globalThis.asked = () => asked;
    globalThis.facts = facts;
    globalThis.suppressed = null;
    document.addEventListener("keydown", ({ target }) => {
        globalThis.suppressed = target.closest("[data-lm-suppress-shortcuts]") !== null;
    }, { capture: true });
    const el = document.createElement("div");
    document.body.append(el);
    globalThis.close = widget.render({ model, el });
}"""


@pytest.fixture
def page(browser, made):
    source, _ = made
    context = browser.new_context(viewport={"width": 1500, "height": 950})
    page = context.new_page()
    page.set_default_timeout(60_000)
    module = base64.b64encode(viewer_module().encode()).decode()
    page.evaluate(_RENDER, [module, review_facts(source), source.view(GRIDDED).to_json() | {"corrected": {}}])
    yield page
    context.close()


def test_shortcuts_reach_jupyterlab_and_no_other_key_does(page):
    page.evaluate("answer()")
    page.focus(".vesselkit-review")
    for keys in ("Control+s", "Control+Shift+p", "Meta+s", "Alt+ArrowLeft", "Control+a", "Shift+Enter"):
        page.keyboard.press(keys)
        assert page.evaluate("suppressed") is False, keys
    assert not [one for one in page.evaluate("asked()") if one["kind"] == "save"]
    for keys in ("d", "z", "Shift+M", "Enter", "ArrowDown", "x"):
        page.keyboard.press(keys)
        assert page.evaluate("suppressed") is True, keys
    page.evaluate("close()")
    page.keyboard.press("Control+s")
    assert page.evaluate("suppressed") is True  # no listener stays behind


def test_a_sign_that_takes_altgr_is_typed(page):
    """As `[` on a German keyboard, where Ctrl and Alt are said to be held."""
    event = """(altgr) => {
        const event = new KeyboardEvent("keydown", {
            key: "a", ctrlKey: true, altKey: true, modifierAltGraph: altgr, bubbles: true, cancelable: true,
        });
        document.querySelector(".vesselkit-review").dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    page.evaluate("answer()")
    assert page.evaluate(event, True) and not page.evaluate(event, False)


def test_a_second_view_of_the_widget_has_the_verdicts_of_the_first(page):
    page.evaluate("answer()")
    page.wait_for_function("() => /[0-9]/.test(document.querySelector('[data-score=dice]').textContent)")
    page.focus(".vesselkit-review")
    page.keyboard.press("a")
    page.wait_for_function("() => asked().some((one) => one.kind === 'save')")
    page.evaluate("answer()")
    page.wait_for_function("() => facts.verdicts.length === 1")
    assert page.evaluate("facts.verdicts[0].verdict") == "accept"
