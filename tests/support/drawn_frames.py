"""Frames drawn for tests."""

from PIL import Image

from helpers.data.frames.frame import Frame


def draw_frames(folder, marks, size=(4, 3)):
    """One grey frame for each mark: the top left pixel has the mark as its value, the top right one is white."""
    frames = []
    for number, mark in enumerate(marks, start=1):
        image = Image.new("L", size, 0)
        image.putpixel((0, 0), mark)
        image.putpixel((size[0] - 1, 0), 255)
        path = folder / f"Doe_Jane_{number}.png"
        image.save(path)
        frames.append(Frame(f"c{number:02d}", path, None, "P1", "P1-S1", number, "test", path.stat().st_size))
    return frames
