"""Whether the export's output head shares its embeddings."""

from collections.abc import Mapping

from helpers.conversion.key_map import canonical_name
from helpers.conversion.plan import EMBEDDINGS, LM_HEAD, Role
from helpers.conversion.request import Sources
from helpers.conversion.weights import Weights
from helpers.errors import RefusedInput

Stored = tuple[Role, str]


def find_stored(sources: Sources) -> Mapping[str, Stored]:
    """Role and stored name of the embeddings and the head that count, where a source has them."""
    found: dict[str, Stored] = {}
    for role in Role:
        source = sources.opened.get(role)
        for name in source.tensors if source else ():
            canonical = name if role in sources.native else canonical_name(name)
            if canonical in (EMBEDDINGS, LM_HEAD):
                found.setdefault(canonical, (role, name))
    return found


def decide_tie(
    sources: Sources, base_ties: bool, stored: Mapping[str, Stored], weights: Weights
) -> tuple[bool, list[str]]:
    """Whether head and embeddings are one tensor, and notes for the record.

    Where the base ties them and training changed both, loading the export tied would silently drop the trained head:
    it is then kept as a tensor of its own.

    Raises:
        RefusedInput: where a LoRA run trained only the embeddings of a tied base, so that the head that was used in
            training (the base's, with random rows for the new tokens) is nowhere; or where a pretrained file unties
            what the base ties, and the checkpoint holds neither.
    """
    if not base_ties:
        return False, []
    head, embeddings = stored.get(LM_HEAD), stored.get(EMBEDDINGS)
    if embeddings is None:
        return True, []
    trained = embeddings[0] is Role.CHECKPOINT
    if head is None or (trained and head[0] is not Role.CHECKPOINT):
        if not (trained and ".modules_to_save." in embeddings[1]):
            return True, []
        if head is None or head[0] is not Role.PRETRAINED:
            raise RefusedInput(
                f"{sources.opened[Role.CHECKPOINT].path.name}: the base ties lm_head to the embeddings, and this LoRA "
                "checkpoint holds trained embeddings but no lm_head; the head used in training cannot be restored. "
                "Train with modules_to_save=['embed_tokens', 'lm_head']"
            )
    if weights.equal(head, embeddings):
        return True, ["the base ties lm_head to the embeddings and the trained ones are equal: the export stays tied"]
    if head[0] is embeddings[0] is Role.PRETRAINED:
        raise RefusedInput(
            f"{sources.opened[Role.PRETRAINED].path.name}: the base ties lm_head to the embeddings, these two differ, "
            "and the checkpoint holds neither; which of them training used cannot be told. Train with "
            "modules_to_save=['embed_tokens', 'lm_head']"
        )
    return False, [
        "the base ties lm_head to the embeddings but the trained ones differ: the export is untied and keeps both"
    ]
