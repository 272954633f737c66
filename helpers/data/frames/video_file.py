"""Frames of video files, by position.

A position is that of the decoded frame, from 0. From the first damage on, all later frames of a file count as
unreadable, since most codecs build a frame on those before it. Decoders stay open between reads, so that reading a
file in order decodes each frame once; going back further than a few frames starts at the beginning again.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from helpers.core.extras import needed
from helpers.data.frames.image_reading import MAX_PIXELS, BadSize, UnreadableImage, to_rgb

if TYPE_CHECKING:
    import av

__all__ = ["MAX_FRAMES", "VIDEO_SUFFIXES", "is_video", "read_video_frame", "video_frame_count"]

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".wmv"})

MAX_FRAMES = 100_000

# Closed lists: a playlist dressed up as a video would make the decoder open other files and addresses.
_OPTIONS = {"format_whitelist": "mov,avi,matroska,mpeg,mpegvideo,mpegts,asf", "protocol_whitelist": "file"}

_OPEN_FILES = 4
_KEPT_FRAMES = 16  # threads that read ahead ask for neighbouring frames out of order

_ROTATIONS = {
    0: None,
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}


def _errors() -> tuple[type[Exception], ...]:
    """FFmpegError covers the decoders; the others come from damaged headers."""
    return needed("av").FFmpegError, OSError, ValueError, IndexError


def is_video(path: Path) -> bool:
    """Whether the suffix is one of `VIDEO_SUFFIXES`."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def video_frame_count(path: Path) -> int:
    """How many frames `path` holds, found by decoding it, since headers guess.

    Where decoding stops at damage, the frames that the file promises behind it are counted too: they exist, and reading
    one says that it is unreadable. Raises `UnreadableImage` where not even the first frame can be reached, and above
    `MAX_FRAMES`.
    """
    path = Path(path)
    count, is_whole = 0, True
    container = _open(path, MAX_PIXELS)
    with container:
        promised = container.streams.video[0].frames
        try:
            for _ in _frames(container):
                count += 1
                if count > MAX_FRAMES:
                    raise UnreadableImage(path, f"more than {MAX_FRAMES:,} frames. Cut the video into parts")
        except _errors():
            is_whole = False
    if count == 0:
        raise UnreadableImage(path, "no frame of the video can be decoded. Copy it again from its source")
    return count if is_whole else min(max(count, promised, _packet_count(path)), MAX_FRAMES)


def read_video_frame(path: Path, index: int, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read frame `index` (from 0) as mode RGB, uint8, turned as the file's display matrix says. Safe in threads.

    Raises `UnreadableImage` where the file is missing, no video or larger than `max_pixels` in a frame, and where the
    frame lies behind the end or behind damage.
    """
    path = Path(path)
    if index < 0:
        raise UnreadableImage(path, f"expected a frame from 0 on, was asked for {index}. Check the frame")
    image, rotation = _opened(path).read(index, max_pixels)
    if rotation % 90:
        raise UnreadableImage(path, "the video is turned by other than quarter turns. Export it upright")
    transposition = _ROTATIONS.get(rotation % 360)
    return image if transposition is None else image.transpose(transposition)


class _Decoder:
    """One open file that remembers where it is; its lock makes it safe for threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._container: av.container.InputContainer | None = None
        self._frames: Iterator[av.VideoFrame] = iter(())
        self._next = 0
        self._recent: deque[tuple[int, av.VideoFrame]] = deque(maxlen=_KEPT_FRAMES)

    def read(self, index: int, max_pixels: int) -> tuple[Image.Image, int]:
        """The frame as mode RGB, and its rotation in degrees."""
        with self._lock:
            frame = self._frame(index, max_pixels)
            # Within the lock: a frame keeps one converter, and two threads in it wait for each other for ever.
            if not _may_be_transparent(frame):
                return Image.fromarray(frame.to_ndarray(format="rgb24")), frame.rotation
            pixels = frame.to_ndarray(format="rgba")
        try:
            return to_rgb(Image.fromarray(pixels)), frame.rotation
        except ValueError as error:
            raise UnreadableImage(self._path, str(error)) from error

    def _frame(self, index: int, max_pixels: int) -> "av.VideoFrame":
        for position, frame in self._recent:
            if position == index:
                return frame
        if self._container is None or index < self._next:
            self._restart(max_pixels)
        try:
            while self._next <= index:
                self._recent.append((self._next, next(self._frames)))
                self._next += 1
        except StopIteration:
            self._close()
            reason = f"the video ends before frame {index}. Check the frame, or copy the file again"
            raise UnreadableImage(self._path, reason) from None
        except _errors() as error:
            self._close()
            raise _damaged(self._path, error) from error
        return self._recent[-1][1]

    def close(self) -> None:
        with self._lock:
            self._close()

    def _restart(self, max_pixels: int) -> None:
        self._close()
        self._container = _open(self._path, max_pixels)
        self._frames = _frames(self._container)

    def _close(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container, self._frames, self._next = None, iter(()), 0
        self._recent.clear()


_decoders: OrderedDict[tuple[Path, int, int], _Decoder] = OrderedDict()
_decoders_lock = threading.Lock()


def _opened(path: Path) -> _Decoder:
    """The decoder of `path`, from the few that were used last; a file that has changed gets a new one."""
    try:
        status = path.stat()
    except OSError as error:
        raise _damaged(path, error) from error
    key = (path.absolute(), status.st_mtime_ns, status.st_size)
    evicted = None
    with _decoders_lock:
        decoder = _decoders.setdefault(key, _Decoder(path))
        _decoders.move_to_end(key)
        if len(_decoders) > _OPEN_FILES:
            evicted = _decoders.popitem(last=False)[1]
    if evicted is not None:
        evicted.close()
    return decoder


def _open(path: Path, max_pixels: int) -> "av.container.InputContainer":
    if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
        raise UnreadableImage(path, "expected a video file, found no regular file. Replace it by one")
    try:
        container = needed("av").open(str(path), container_options=_OPTIONS)
    except _errors() as error:
        raise _damaged(path, error) from error
    if not container.streams.video:
        container.close()
        raise UnreadableImage(path, "the file holds no video stream. Leave it out")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        container.close()
        raise UnreadableImage(path, "no decoder for this kind of video. Export it as H.264 or MPEG-4")
    if ("alpha_mode", "1") in ((name.lower(), value) for name, value in stream.metadata.items()):
        container.close()
        reason = "the video has a layer of transparency, which decoders leave out unread. Export it without that layer"
        raise UnreadableImage(path, reason)
    width, height = stream.width, stream.height
    if width * height > max_pixels:
        container.close()
        size = f"{width}x{height} = {width * height:,} pixels"
        raise BadSize(path, f"{size}; at most {max_pixels:,} are read. Shrink or crop it")
    # Without this, decoders paint over damage and call the result a frame.
    stream.codec_context.options = {"err_detect": "explode", "max_pixels": str(max_pixels)}
    return container


def _may_be_transparent(frame: "av.VideoFrame") -> bool:
    """Whether the pixels of a decoded frame state how opaque they are."""
    return frame.format.name == "pal8" or any(component.is_alpha for component in frame.format.components)


def _frames(container: "av.container.InputContainer") -> "Iterator[av.VideoFrame]":
    """Decode frame by frame; raises ValueError at the first that is marked as damaged."""
    for packet in container.demux(video=0):
        if packet.is_corrupt:
            raise ValueError("damaged packet")
        for frame in packet.decode():
            if frame.is_corrupt:
                raise ValueError("damaged frame")
            yield frame


def _packet_count(path: Path) -> int:
    """How many pieces of the video stream can still be found, whether or not they can be decoded."""
    count = 0
    with _open(path, MAX_PIXELS) as container:
        try:
            for packet in container.demux(video=0):
                count += packet.size > 0
                if count >= MAX_FRAMES:
                    break
        except _errors():
            return count
    return count


def _damaged(path: Path, error: Exception) -> UnreadableImage:
    detail = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return UnreadableImage(
        path,
        f"the video cannot be decoded here ({detail}): it is missing, damaged, cut short or of an unknown kind."
        " Copy it again from its source",
    )
