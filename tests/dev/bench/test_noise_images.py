"""Images of noise, in memory and as files."""

from PIL import Image

from helpers.dev.bench import stand_in
from helpers.dev.bench.stand_in import draw_noise, write_noise


def test_noise_is_the_same_each_time():
    assert draw_noise(8, 3).tobytes() == draw_noise(8, 3).tobytes() != draw_noise(8, 4).tobytes()


def test_files_hold_the_noise_and_repeat_it(tmp_path, monkeypatch):
    monkeypatch.setattr(stand_in, "_DIFFERENT", 2)
    paths = write_noise(tmp_path / "images", 8, 3)
    assert [path.name for path in paths] == ["case-00000.png", "case-00001.png", "case-00002.png"]
    found = [Image.open(path) for path in paths]
    assert {image.mode for image in found} == {"RGB"}
    assert [image.tobytes() for image in found] == [draw_noise(8, seed).tobytes() for seed in (0, 1, 0)]
