"""How the films play in a browser."""

import io

import av
import numpy as np
import pytest
from PIL import Image

from helpers.evaluation.leakage.standing import title_of
from helpers.evaluation.metrics_folder import open_metrics
from helpers.review.films.film_page import page_text
from tests.review.films.conftest import FRAMES
from tests.support.browser import chromium

LOADED = """() => new Promise((done, failed) => {
  const film = document.getElementById("film");
  film.addEventListener("error", () => failed(film.error.message));
  if (film.readyState >= 2) done();
  else film.addEventListener("loadeddata", done, { once: true });
})"""
SOUGHT = """async (number) => {
  const film = document.getElementById("film"), place = document.getElementById("place");
  const sought = new Promise((done) => film.addEventListener("seeked", done, { once: true }));
  place.value = number;
  place.dispatchEvent(new Event("input"));
  await sought;
  return { duration: film.duration, width: film.videoWidth, height: film.videoHeight };
}"""
# Whether what is shown lies within the window, and neither way is there anything to scroll.
FITS = """() => {
  const root = document.documentElement, parts = [...document.querySelectorAll("main > *:not([hidden])")];
  return root.scrollHeight <= innerHeight && root.scrollWidth <= innerWidth && parts.every((one) => {
    const box = one.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth;
  });
}"""


@pytest.fixture(scope="module")
def opened(films):
    """The player, and what it logs."""
    seen = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("console", lambda said: seen.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.goto((films[0] / "index.html").as_uri())
        page.evaluate(LOADED)
        yield page
    assert seen == []


@pytest.fixture
def page(opened):
    """The player at its first sequence and frame, with nothing chosen."""
    opened.select_option("#sequence", index=0)
    opened.keyboard.press("Escape")
    opened.evaluate(LOADED)
    opened.evaluate(SOUGHT, 1)
    return opened


def at(page, number):
    page.locator("#shown", has_text=f"frame {number} of {FRAMES}").wait_for(timeout=60_000)


def in_sight(page):
    return page.eval_on_selector_all(
        ".films-stage > *", "found => found.filter((one) => !one.hidden).map((one) => one.id)"
    )


def test_a_frame_is_that_of_the_film(page, films):
    """The page's duration, and its fourth frame against the same frame decoded here."""
    folder, record = films
    found = page.evaluate(SOUGHT, 4)
    assert found["duration"] == pytest.approx(FRAMES / 5)
    at(page, 4)
    shot = Image.open(io.BytesIO(page.locator("#film").screenshot())).convert("RGB")
    with av.open(str(folder / record["sequences"][0]["mp4"])) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert (found["height"], found["width"]) == decoded[3].shape[:2]
    # The element may be larger than the film, which then stands in its middle.
    scale = min(shot.width / found["width"], shot.height / found["height"])
    width, height = round(found["width"] * scale), round(found["height"] * scale)
    left, top = (shot.width - width) // 2, (shot.height - height) // 2
    pixels = np.asarray(shot.crop((left, top, left + width, top + height)), np.int16)
    sized = [np.asarray(Image.fromarray(one).resize((width, height)), np.int16) for one in decoded]
    errors = [np.abs(pixels - one).mean() for one in sized]
    assert int(np.argmin(errors)) == 3 and errors[3] < 4


def test_keys_step_play_and_change_the_sequence(page, films):
    steps = {"ArrowRight": 2, ".": 3, "ArrowLeft": 2, ",": 1, "End": FRAMES, "Home": 1}
    for key, number in steps.items():
        page.keyboard.press(key)
        at(page, number)
    for key in (" ", "y"):
        page.keyboard.press(key)
        page.locator("#play", has_text="■ Stop").wait_for(timeout=60_000)
        assert not page.evaluate("film.paused")
        page.keyboard.press(key)
        page.locator("#play", has_text="▶ Play").wait_for(timeout=60_000)
        assert page.evaluate("film.paused")
    page.keyboard.press("-")
    assert page.evaluate("film.playbackRate") == 0.5 and page.input_value("#speed") == "0.5"
    page.keyboard.press("+")
    page.keyboard.press("n")
    assert page.inner_text("#name") == films[1]["sequences"][1]["sequence"]
    page.keyboard.press("p")
    assert page.inner_text("#name") == films[1]["sequences"][0]["sequence"]


def test_steps_that_come_faster_than_the_film_is_sought_are_all_taken(page):
    page.evaluate("""() => { for (let i = 0; i < 3; i++) document.body.dispatchEvent(
        new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true })); }""")
    at(page, 4)


def test_keys_with_a_modifier_stay_those_of_the_browser(page):
    taken = """([key, modifier]) => {
        const event = new KeyboardEvent("keydown", { key, [modifier]: true, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    for modifier in ("ctrlKey", "metaKey", "altKey"):
        assert not any(page.evaluate(taken, [key, modifier]) for key in ("ArrowLeft", "s", "p", "1", "+", "Home"))
    assert page.evaluate(taken, ["ArrowRight", "shiftKey"])


def test_picture_and_curves_take_the_place_of_the_film(page):
    for key, name in {"2": "picture", "3": "curves", "1": "film"}.items():
        page.keyboard.press(key)
        assert in_sight(page) == [name]
        assert page.get_attribute(f"#look-{name}", "aria-pressed") == "true"
    page.click("#look-curves")
    assert page.eval_on_selector("#curves", "one => one.decode().then(() => one.naturalWidth)") > 100
    page.keyboard.press("ArrowRight")
    at(page, 2)
    assert in_sight(page) == ["film"]


def test_gaps_are_named_and_gone_with_their_sequence(page, films):
    gap = films[1]["sequences"][0]["gaps"][0]
    assert page.inner_text("#gaps") == f"gaps: {gap['case_id']} (read_error)"
    page.keyboard.press("n")
    assert not page.is_visible("#gaps")


def test_everything_is_in_the_window_and_has_a_name(page):
    for width, height in ((1280, 800), (1920, 1080), (900, 600)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(FITS), (width, height)
        assert page.locator(".films-stage").bounding_box()["height"] > height / 2
    nameless = """found => found.filter((one) => !one.hidden && !one.labels?.length && !one.ariaLabel && !one.alt &&
        !one.textContent.trim()).map((one) => one.id)"""
    assert page.eval_on_selector_all("button, input, select, video, img", nameless) == []


def test_the_help_names_every_key_of_the_player(page):
    page.keyboard.press("?")
    assert page.is_visible("#help")
    named = page.inner_text("#help")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")
    words = {"ArrowRight": "→", "ArrowLeft": "←", " ": "Space", "-": "−"}
    keys = set(page.evaluate("Object.keys(KEYS)")) - {"=", "Escape"}
    assert all(words.get(key, key) in named for key in keys)


def test_whose_scores_the_curves_show(page, films, world):
    assert films[1]["title"] == title_of(open_metrics(world[0] / "scores").summary)
    assert films[1]["title"] in page.inner_text("header")


def test_texts_cannot_be_markup():
    name = "<img src=x onerror=alert(1)>"
    entry = {"sequence": name, "frames": 2, "mp4": "a.mp4", "picture": None, "curves": None, "gaps": []}
    text = page_text([name], {"rate": 5, "title": name, "sequences": [entry]}, name)
    assert "<img src=x" not in text and text.count("&lt;img") == 4
