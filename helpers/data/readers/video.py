"""Read a folder of video files: each is one sequence."""

from pathlib import Path

from helpers.data.readers.walk import files_under
from helpers.data.record import Reading, Record
from helpers.errors import RefusedInput
from helpers.images.reading import UnreadableImage, natural_key
from helpers.images.video import VIDEO_SUFFIXES, is_video, video_frame_count

__all__ = ["read_video"]


def read_video(root: Path, file: str | None = None) -> Reading:
    """Every frame of the videos under `root`, or of one file there, without ground truth.

    The path of a video below `root` names its sequence; the patient is unknown. A video that cannot be opened keeps one
    record, so that the loss shows. Raises `RefusedInput` where there is no video.
    """
    root = Path(root).absolute()
    names, links = files_under(root) if file is None else ((file,), 0)
    records: list[Record] = []
    damaged = 0
    for name in (name for name in names if is_video(Path(name))):
        try:
            count = video_frame_count(root / name)
        except UnreadableImage:
            damaged += 1
            records.append(Record(name=name, path=root / name, sequence=name))
            continue
        digits = len(str(count - 1))
        records.extend(
            Record(name=f"{name}#{index:0{digits}d}", path=root / name, index=index, sequence=name, number=index + 1)
            for index in range(count)
        )
    if not records:
        known = " ".join(sorted(VIDEO_SUFFIXES))
        raise RefusedInput(f"{root}: expected videos in it ({known}), found {len(names)} other files. Check the path")
    notes = (
        (damaged, "videos cannot be decoded at all"),
        (links, "links to folders or out of the data set were left out; copy the files in"),
    )
    return Reading(
        layout="video",
        records=tuple(sorted(records, key=lambda record: natural_key(record.name))),
        notes=tuple(f"{count} {text}" for count, text in notes if count),
    )
