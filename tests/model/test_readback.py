"""Pieces of a sequence's masks find their places."""

import torch

from helpers.model.readback import Readback


def test_pieces_find_their_places_and_masks_follow_the_logits():
    logits = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    found = Readback((2, 5, 3, 4), torch.device("cpu"))
    found.put(3, logits[:, 3:])
    found.put(0, logits[:, :3])
    assert found.finish()
    assert torch.equal(found.logits, logits) and torch.equal(found.masks, logits.sigmoid() > 0.5)


def test_one_value_that_is_no_number_is_told():
    for value in (torch.nan, torch.inf):
        found = Readback((1, 2, 1, 1), torch.device("cpu"))
        found.put(0, torch.full((1, 1, 1, 1), value))
        found.put(1, torch.zeros(1, 1, 1, 1))
        assert not found.finish()


def test_nothing_followed_gives_nothing():
    found = Readback((0, 4, 2, 2), torch.device("cpu"))
    assert found.finish() and found.logits.shape == found.masks.shape == (0, 4, 2, 2)
