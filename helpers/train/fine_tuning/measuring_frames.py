"""Real frames that the kit's own models are measured on. They stay out of training, so that the scores mean something.

They are forty coronary angiograms of the public repository fercer/Coronary, 300 x 300 pixels of 8 bits. The list was
made with `pixel_sha256` of each, which takes the size and the RGB bytes as read, so that a frame is known under any
name and in any lossless file. A frame that was cropped, resized or compressed with losses is not known.
"""

from collections.abc import Iterable

from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import pixel_sha256, read_frame
from helpers.data.frames.image_reading import DECODE_ERRORS, FORMATS, UnreadableImage, open_unpacked

_SIZE = (300, 300)
_UNREADABLE = (*DECODE_ERRORS, Image.DecompressionBombError, UnreadableImage)


def is_measuring(image: Image.Image) -> bool:
    """Whether a frame, mode RGB, is one of those."""
    return image.size == _SIZE and pixel_sha256(image) in PIXEL_SHA256


def require_not_measuring(frames: Iterable[Frame]) -> None:
    """Raise RefusedInput, naming the file, where one of those is among still images.

    Only images of their size are read in full. One that cannot be read is left to who reads it later.
    """
    for frame in frames:
        try:
            if not frame.path.is_file():  # opening a pipe would wait for its writer
                continue
            with open_unpacked(frame.path) as file, Image.open(file, formats=FORMATS) as opened:
                size = opened.size
            found = size == _SIZE and is_measuring(read_frame(frame.path, frame.index, frame.bits))
        except _UNREADABLE:  # a DICOM or video file, or a broken one
            continue
        if found:
            raise RefusedInput(f"{frame.path}: {REFUSAL}")


REFUSAL = (
    "expected frames to train on or to choose by, got one of the 40 real frames that this kit's models are measured "
    "on. Take it out of the data set: what is trained or chosen on it cannot be measured on it"
)

PIXEL_SHA256 = frozenset(
    {
        "03d66a5fc89e1ccd2597dfe6f15d9739f28d9f26625bc1f5bd8e9da7692d1c96",
        "094da0c4c40dd0eb7ce79426548bc5c92a96ea487e0428238b11f9e9cf8dc1db",
        "0d1be29f88855a4a681fe5c230f8d8ecb347d8325f4d5745a12e29dbd13e1373",
        "0d6dd4a9f13ffd905f2b4cea3afd765495e0b2a4057b692a7a93ca39e0f2a1f8",
        "10c228cfbc34631951f33f2f9f086d04e6496e68c2c566f95ebef9cf81a9a209",
        "18c4010ba1fe84e1b20ba4bddc6669c5c8f22a27ab7ee03f66533245fabc1c0b",
        "1f8202199e86e6c65e3a537ac6143632375355290ca7178c7cab7b3b9c3b3840",
        "20124bede1a0beba26450e4d83930fb3a55abc3ed837bda5adaf917faf12958f",
        "2ebc426498b86fbe23bb1d5014f5d5d9b81e6823bc27467ad5363bf9bc2101af",
        "378f4ab8d7098579edff99102cd48fe67bd6bc99373ebd6039e80aba394027d8",
        "42063b79fbbe31f0bf99aa937711b126cd089f849b6adea016c88f49d209ecf7",
        "43350c918f2f078da0b0aef8b697c68f091cddc26af75e2ec78fbaf8287d2467",
        "52cee692d77dd64091a336bd8a699bdc2c8e906fdd0890b9a5a0fd2a93ee84eb",
        "7050a2af6d59c00c0255648b9948d4386990461ec3feea46502663e82548e96b",
        "732ee450e2cb82ff5ddca16f37ce34728ff6b12556aa15cb87abc8ac92ae70f6",
        "750798a270daf519ac776f3a7a911621ce2653d8b7cb219371418c5431f122f1",
        "7a34576d53be3a223160e9f6a16ec3fe99a7885c9c205a002711fbac21518338",
        "7cf9bd1f77877b322588a3f584f6fae089fdf58ef67c7b2bf5e0f27aa0fb1b3c",
        "82b2391c71e3fec5c217ad38eeb0d05e146b4120c7a8b764bc85e2d767cc9dab",
        "8a5021609b1e1c4c4425738af05d0724895d7db0bb916c50999b8882d5a5da1e",
        "8d7c7b7c8c69a0cf48a59cce9f25b1ed09f05e019aa8b53dac1b1f3847951afa",
        "8fe49dc30030313b4c7988682e756aa17e3d4e940240e910223ee85859de518d",
        "92970d4d7451b26bc991124193c8a8adcb37bbd365999be4e7637c672853f946",
        "97a309ba23942951805c4bc79e13b855ff253dbf2dd5a11e443a58a51a521d88",
        "aa1269d2f9fd8cd8c8286bd9f2e2025f374ceb5eccd3ff027c7cb3bffe2f744d",
        "b13ef2ddead8d74e96e755bc1dd4507328dc4ac19d899371d31279721b31c494",
        "c3534f1fd4f16f9199cf6f897055bacf97a044ad461ffa848600a504e1a343fd",
        "c4ecca253867edba8dc16263e32d8eb150f55ca8cc261fbec4478ccabac2d248",
        "cbbd2a9e0bbe5b24a764a55386e922961eefd02b4ca0c2912de411b46929c26c",
        "ce64ed2bfb756c93e49b7b3301ab27de0d18148df91119356e98696be4a48f64",
        "d2dbea7ee55131ef8c0c799b7eee07c5dec5bb99e6f7cedb9acda0fd088035b8",
        "d5b1bb6112af6681d687f5db20a121da54f8e091694fc1de5ccb45734b40240d",
        "de56e60cb45ac5b5d2e09b1f902f1ac578615123e43966cdad134365ce0df6ef",
        "df1e9d1e1aa8ce2effd8275ec26d716f0cd27f6af7b942d8f2a8ae57a2f53669",
        "ea41d35c6505982724a58fd3acac4a91f2f87deaec8f85f62ed8fed1a2d6fc5f",
        "ecc716d4c6b4ea58b2a09b479380256191eb5bc519d19260dbb47ec1abc988bc",
        "f2c0a818305753e3a83ce86c35311766026e08aff543077a40b25202ae75bd76",
        "f3a407f3c7bd5cede86f4a113adbb7bc2397a87df5f5be794cddfa6f19c048ae",
        "f51b0be9401f81353e7945748767ac4b3ed50361fd0037929d46e393f3368279",
        "fcc6aad82940ef8c9f69deb624680f8c46d305ac72c2e56054f5c7beceb48370",
    }
)
