"""The data set of a notebook, opened as its parameters say."""

from helpers.data.dataset import Dataset, open_dataset
from helpers.data.ids import IdPolicy
from helpers.data.other_frame import parse_size
from helpers.notebook.settings import EvaluateSettings, InferSettings, ReviewSettings


def open_whole(settings: InferSettings | EvaluateSettings | ReviewSettings) -> Dataset:
    """All cases of the data set, or of the split that is asked for. Raises as `open_dataset`."""
    return open_dataset(
        settings.data,
        layout=settings.layout,
        ids=None if settings.ids is None else IdPolicy(settings.ids),
        id_key=settings.id_key,
        group_by=settings.group_by,
        split=settings.split,
        rescale_from=None if settings.rescale_from is None else parse_size(settings.rescale_from),
    )
