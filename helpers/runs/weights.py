"""What predicted a run, as one fingerprint: equal for two runs of the same weights."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# Of a run's model, what tells its weights; the first that is there decides.
_FINGERPRINTS = ("tensors_sha256", "files_sha256", "masks_sha256")
_BESIDE = ("tuned_on",)  # of a method without weights: what its settings were chosen on is not a setting


def weights_of(model: Mapping[str, Any] | None) -> str | None:
    """Fingerprint of what made a run's masks; None where the run does not say.

    Of a model it is that of its tensors, whatever was asked of it and in which number type it computed; of imported
    masks that of the masks; of a method without weights that of its settings.

    Args:
        model: of a run's configuration.
    """
    if not model:
        return None
    for name in _FINGERPRINTS:
        if model.get(name) is not None:
            return str(model[name])
    settings = {name: value for name, value in model.items() if name not in _BESIDE}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
