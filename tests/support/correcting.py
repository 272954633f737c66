"""Correcting a mask in the viewer with the mouse, on whatever page it stands."""

# Where the middle of a pixel of the frame is on the screen.
_PLACE = """([panel, zoomed, width, height, x, y]) => {
    const box = document.querySelector(`canvas[data-panel='${panel}']`).getBoundingClientRect();
    const zoom = zoomed ?? Math.min(box.width / width, box.height / height);
    return [box.left + box.width / 2 + (x + 0.5 - width / 2) * zoom,
        box.top + box.height / 2 + (y + 0.5 - height / 2) * zoom];
}"""


def stroke(page, size, *points, panel=4, zoom=None):
    """Draw from pixel to pixel of the frame, (x, y) each, with the tool in hand.

    Args:
        size: width and height of the frame, whose middle is in that of the panel.
        zoom: pixels of the screen to one of the frame; None where all of it is in the panel.
    """
    places = [page.evaluate(_PLACE, [panel, zoom, *size, *point]) for point in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


def set_size(page, pixels):
    """Make the brush so many pixels wide, below 10."""
    for _ in range(10):
        page.keyboard.press("[")
    for _ in range(pixels - 1):
        page.keyboard.press("]")
