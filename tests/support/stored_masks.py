"""Whether the masks of a run are those that its logits define."""

import numpy as np

from helpers.runs.stored_maps import threshold_logit


def check_mask(run, case_id, prompt_id):
    """Pixels in which a stored mask differs from the one that its logits define; 0 also where there is neither."""
    full, mask = run.full_map(case_id, prompt_id), run.mask(case_id, prompt_id)
    if full is None or mask is None:
        return 0
    assert mask.shape == full.shape
    return int(((full > np.float32(threshold_logit(run.threshold))) != mask).sum())
