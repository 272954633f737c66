"""SAM2's memory on sequences of any length, against transformers' own choice of memories and pointers."""

import pytest
import torch

from helpers.model.tracking import POINTER_MEMORIES, FrameFeatures, Tracker, TrackingPasses
from tests.support.tiny_sam2 import SIZES, random_sam2

SIDE = SIZES.image_size // 16


@pytest.fixture(scope="module")
def sam2():
    return random_sam2()


def features(number: int) -> FrameFeatures:
    random = torch.Generator().manual_seed(number)
    width = SIZES.d_model
    return FrameFeatures(
        torch.randn((1, width, SIDE, SIDE), generator=random),
        (
            torch.randn((1, width // 8, 4 * SIDE, 4 * SIDE), generator=random),
            torch.randn((1, width // 4, 2 * SIDE, 2 * SIDE), generator=random),
        ),
        torch.randn((1, width, SIDE, SIDE), generator=torch.Generator().manual_seed(99)),
    )


def recalled(tracker: Tracker, frame: int) -> dict[str, torch.Tensor]:
    """What the memory attention is given for a frame."""
    given = {}

    def record(**arguments):
        given.update(arguments)
        return arguments["current_vision_features"].transpose(0, 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracker._sam2.memory_attention, "forward", record)
        seen = features(frame)
        tracker._passes.follow(seen.embedding, *seen.high_resolution, seen.positions, *tracker._recalled(frame))
    return given


class Session:
    """As much of transformers' session as its own choice of memories asks for."""

    dtype = torch.float32

    def __init__(self, tracker: Tracker, everything: dict, prompted: set[int]):
        def entry(memory):
            positions = tracker._memory_positions
            return {
                "maskmem_features": memory.features,
                "maskmem_pos_enc": positions,
                "object_pointer": memory.pointers,
            }

        self.output_dict_per_obj = [
            {
                "cond_frame_outputs": {at: entry(m) for at, m in everything.items() if at in prompted},
                "non_cond_frame_outputs": {at: entry(m) for at, m in everything.items() if at not in prompted},
            }
        ]


@pytest.mark.parametrize(("prompted", "count"), [((0, 1, 2, 3, 4), 40), ((0,), 20), ((3, 9, 11), 30), ((0, 1), 5)])
@pytest.mark.parametrize("backwards", [False, True])
def test_the_memories_are_those_of_transformers(sam2, prompted, count, backwards):
    tracker, everything = Tracker(sam2, torch.ones((1, SIZES.d_model))), {}
    with torch.inference_mode():
        for number in prompted:
            tracker.prompt(number, features(number))
        if backwards:
            tracker.turn_back()
            order = range(max(prompted) - 1, -1, -1)
        else:
            order = range(min(prompted) + 1, count)
        for frame in (number for number in order if number not in prompted):
            ours = recalled(tracker, frame)
            session = Session(tracker, everything | tracker._prompted, set(prompted))
            with pytest.MonkeyPatch.context() as patch:
                theirs = {}
                patch.setattr(
                    sam2.memory_attention, "forward",
                    lambda given=theirs, **a: given.update(a) or a["current_vision_features"].transpose(0, 1),
                )  # fmt: skip
                patch.setattr(sam2.config, "max_cond_frame_num", -1, raising=False)
                flat = features(frame).embedding.flatten(2).permute(2, 0, 1)
                sam2._prepare_memory_conditioned_features(
                    session, frame, 0, False, flat, flat, count, track_in_reverse_time=backwards
                )
            for name in ("memory", "memory_posision_embeddings", "num_object_pointer_tokens"):
                assert torch.equal(torch.as_tensor(ours[name]), torch.as_tensor(theirs[name])), (frame, name)
            tracker.follow(frame, features(frame))
            everything |= tracker._followed


def test_replayed_passes_are_those_that_are_launched(sam2):
    seen = []

    def replayed(function):
        return lambda *tensors: seen.append(function.func.__name__) or function(*tensors)

    passes = TrackingPasses(sam2, replayed, replayed)
    trackers = [Tracker(sam2, torch.ones((2, SIZES.d_model)), one) for one in (None, passes)]
    pixels = torch.randn((3, 3, SIZES.image_size, SIZES.image_size), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together = trackers[1].encode_all(pixels)
        for number, frame in enumerate(pixels.split(1)):
            alone = trackers[0].encode(frame)
            for one, other in zip(alone.tensors(), together[number].tensors(), strict=True):
                assert one.shape == other.shape and torch.allclose(one, other, atol=1e-4)
            step = "prompt" if number == 0 else "follow"
            one, other = (getattr(tracker, step)(number, alone) for tracker in trackers)
            assert torch.equal(one.low_resolution, other.low_resolution) and torch.equal(one.pointers, other.pointers)
    assert seen == ["_encode", "_prompt", "_follow", "_follow"]


def test_memory_does_not_grow_with_the_sequence(sam2):
    tracker = Tracker(sam2, torch.ones((2, SIZES.d_model)))
    with torch.inference_mode():
        for number in range(5):
            tracker.prompt(number, features(number))
        sizes = []
        for number in range(5, 60):
            masks = tracker.follow(number, features(number))
            sizes.append(len(recalled(tracker, number + 1)["memory"]))
    assert masks.low_resolution.shape == (2, 4 * SIDE, 4 * SIDE)
    assert masks.predicted_iou.shape == (2, 3) and masks.object_score.shape == (2,)
    assert masks.pointers.shape == (2, SIZES.d_model)
    assert len(tracker._followed) == POINTER_MEMORIES and len(tracker._prompted) == 5
    places, pieces = SIDE * SIDE, SIZES.d_model // SIZES.mem_dim
    assert sizes[-1] == max(sizes) == (5 + 6) * places + (5 + POINTER_MEMORIES) * pieces
    memory = tracker._followed[59]
    assert memory.features.dtype == torch.bfloat16 and memory.features.shape == (places, 2, SIZES.mem_dim)


def test_a_frame_left_out_is_a_gap_in_time(sam2):
    tracker = Tracker(sam2, torch.ones((1, SIZES.d_model)))
    with torch.inference_mode():
        tracker.prompt(0, features(0))
        tracker.follow(1, features(1))
        near, far = (recalled(tracker, number)["memory_posision_embeddings"] for number in (2, 4))
    places = SIDE * SIDE
    in_time = sam2.memory_temporal_positional_encoding.detach()[:, 0, 0]
    assert torch.equal(near[:places], far[:places])
    moved = far[places : 2 * places, 0] - near[places : 2 * places, 0]
    assert torch.allclose(moved, (in_time[2] - in_time[0]).expand(places, -1), atol=1e-6)


def test_an_object_that_is_not_there_leaves_the_pointer_for_none(sam2):
    head = sam2.mask_decoder.pred_obj_score_head.proj_out
    tracker = Tracker(sam2, torch.ones((1, SIZES.d_model)))
    with torch.inference_mode():
        head.bias.fill_(100)
        there = tracker.prompt(0, features(0))
        head.bias.fill_(-100)
        gone = tracker.prompt(0, features(0))
        head.bias.zero_()
    assert torch.equal(gone.pointers, sam2.no_object_pointer) and not torch.equal(there.pointers, gone.pointers)
    assert torch.equal(gone.low_resolution, there.low_resolution)
