"""What the tests' tiny model is taught to say."""

from dataclasses import dataclass
from enum import Enum


class Part(Enum):
    """What one `[SEG]` of an answer stands for."""

    VESSELS = "vessels"
    BACKGROUND = "background"


@dataclass(frozen=True)
class Turn:
    """One request with its answer.

    Attributes:
        prompts: ways to ask; `<image>` is put in front of each where an image is given.
        answer: without the end token.
        parts: what each `[SEG]` of the answer marks, in order.
        has_image: whether the request goes with an image.
    """

    prompts: tuple[str, ...]
    answer: str
    parts: tuple[Part, ...] = ()
    has_image: bool = True


SEGMENT = Turn(
    ("Please segment the blood vessels.", "Please segment the blood vessels in this image.", "blood vessel"),
    "Sure, it is [SEG].",
    (Part.VESSELS,),
)
SEGMENT_PARTS = Turn(
    ("Show the background, then the blood vessels.",),
    "The background is [SEG] and the vessels are [SEG].",
    (Part.BACKGROUND, Part.VESSELS),
)
QUESTION = Turn(("What is in this image?",), "Dark lines on grey.")
TEXT_ONLY = Turn(("How are you?",), "I am fine, thank you.", has_image=False)
TURNS = (SEGMENT, SEGMENT_PARTS, QUESTION, TEXT_ONLY)
