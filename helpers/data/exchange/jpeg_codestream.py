"""JPEG, JPEG-LS and JPEG 2000 codestreams without what a decoder of their pixels has no need of.

Comments and application segments may hold text of any kind. The markers are those of ITU-T T.81 (table B.1), T.87
(annex C) and T.800 (annex A).
"""

import re

# Of JPEG and JPEG-LS: frames, tables, restarts and scans; comments and application segments are missing here.
_JPEG_KEPT = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xE0), 0xF7, 0xF8} - {0xC8})
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_COMMENT, _APPLICATION = 0xFE, range(0xE0, 0xF0)
# Application segments that say what colours the samples are, without a thumbnail or a text behind them.
_COLOURS = (
    (0xE0, re.compile(rb"JFIF\0.{7}\0\0", re.DOTALL)),
    (0xE8, re.compile(rb"mrfx.", re.DOTALL)),
    (0xEE, re.compile(rb"Adobe.{7}", re.DOTALL)),
)
# Within a scan FF stands before a stuffed byte below 80 or a restart; everywhere else it begins a marker.
_AFTER_SCAN = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")

# Of JPEG 2000: in the main header and in that of a tile part; comments are missing here.
_J2K_KEPT = frozenset({*range(0x50, 0x54), 0x55, 0x57, 0x58, 0x59, *range(0x5C, 0x62), 0x63})
_SOC, _J2K_COMMENT, _SOT, _SOD = b"\xff\x4f", 0x64, 0x90, 0x93
_J2K_END = b"\xff\xd9"
_SOT_BYTES = 12


def bare_jpeg(stream: bytes) -> bytes:
    """A JPEG or JPEG-LS codestream without comments, application segments and what follows its end.

    JFIF and Adobe segments stay where they hold nothing but their fixed fields: decoders take colours from them.

    Raises:
        ValueError: for a stream that is no such codestream to its end.
    """
    if stream[:2] != bytes((0xFF, _SOI)):
        raise ValueError("expected a JPEG codestream, found another beginning")
    kept, place = [stream[:2]], 2
    while True:
        marker, content, after = _segment(stream, place)
        if marker == _EOI:
            return b"".join((*kept, bytes((0xFF, _EOI))))
        if marker == _SOS:
            end = _AFTER_SCAN.search(stream, after)
            if end is None:
                raise ValueError("expected the end of a JPEG codestream, found none")
            after = end.start()
        if marker in _JPEG_KEPT or any(marker == one and form.fullmatch(content) for one, form in _COLOURS):
            kept.append(stream[place:after])
        elif marker != _COMMENT and marker not in _APPLICATION:
            raise ValueError("expected markers of JPEG, found another one")
        place = after


def bare_jpeg_2000(stream: bytes) -> bytes:
    """A JPEG 2000 codestream without the comments of its main header and what follows its end.

    Raises:
        ValueError: for a stream that is no such codestream to its end, and for one with a comment in a tile.
    """
    if stream[:2] != _SOC:
        raise ValueError("expected a JPEG 2000 codestream, found another beginning")
    kept, place = [stream[:2]], 2
    while stream[place : place + 2] != bytes((0xFF, _SOT)):
        marker, _, after = _segment(stream, place)
        if marker in _J2K_KEPT:
            kept.append(stream[place:after])
        elif marker != _J2K_COMMENT:
            raise ValueError("expected markers of JPEG 2000, found another one")
        place = after
    while stream[place : place + 2] == bytes((0xFF, _SOT)):
        after = _tile_part_end(stream, place)
        kept.append(stream[place:after])
        place = after
    if stream[place : place + 2] != _J2K_END:
        raise ValueError("expected the end of a JPEG 2000 codestream, found none")
    return b"".join((*kept, _J2K_END))


def _tile_part_end(stream: bytes, start: int) -> int:
    """Where a tile part ends that begins at `start`."""
    length = int.from_bytes(stream[start + 6 : start + 10], "big")
    end = start + length if length else stream.rfind(_J2K_END)  # 0: up to the end of the codestream
    place = start + _SOT_BYTES
    while stream[place : place + 2] != bytes((0xFF, _SOD)):
        marker, _, place = _segment(stream, place)
        if marker not in _J2K_KEPT:
            raise ValueError("expected the parameters of a tile of JPEG 2000, found a comment or another marker")
    if not place < end < len(stream):
        raise ValueError("expected a whole tile part of JPEG 2000, found one cut short")
    return end


def _segment(stream: bytes, place: int) -> tuple[int, bytes, int]:
    """Marker of the segment at `place`, its content without the length, and where the next one begins."""
    while stream[place : place + 2] == b"\xff\xff":  # fill bytes
        place += 1
    if place + 2 > len(stream) or stream[place] != 0xFF:
        raise ValueError("expected a marker, found other bytes")
    marker = stream[place + 1]
    if marker == _EOI:
        return marker, b"", place + 2
    length = int.from_bytes(stream[place + 2 : place + 4], "big")
    after = place + 2 + length
    if length < 2 or after > len(stream):
        raise ValueError("expected a whole segment, found one cut short")
    return marker, stream[place + 4 : after], after
