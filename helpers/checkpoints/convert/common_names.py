"""Names of tensors and modules of InternLM2 and of the Qwen vision-language models, and the common names for them.

InternLM2 computes the same as Llama and names it otherwise. Its attention weight for queries, keys and values is one,
`attention.wqkv`, which has no counterpart in Llama.

The common names are `visual.` for the vision tower of a Qwen model with its mergers, and those of InternVL's language
models for the rest: `language_model.model.`, `language_model.lm_head.`. Both generations of names in files of
transformers are read.
"""

import re
from collections.abc import Iterable

_LANGUAGE_PARTS = r"(layers|embed_tokens|norm)\."

# Tried in order on names without training prefixes and wrappers; the first full match wins.
_RULES = tuple(
    (re.compile(pattern), target)
    for pattern, target in (
        (r"(?:model\.){0,2}visual\.(.+)", r"visual.\1"),
        (r"(?:model\.){0,2}language_model\." + _LANGUAGE_PARTS + "(.+)", r"language_model.model.\1.\2"),
        (r"(?:model\.){1,2}" + _LANGUAGE_PARTS + "(.+)", r"language_model.model.\1.\2"),
        (r"(?:model\.)?lm_head\.(.+)", r"language_model.lm_head.\1"),
    )
)

# Common name -> native name, under the beginnings that all names of the table share; see `key_map`.
QWEN_VL_TABLE = {(r"visual\.", r"vision_tower."): {r"(.+)": r"\1"}}

# Module of InternLM2 -> module of Llama.
_MODULES = {
    "model.tok_embeddings": "model.embed_tokens",
    "output": "lm_head",
    "attention.wo": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_NAME = re.compile(
    r"(language_model\.(?:model\.layers\.\d+\.)?)(" + "|".join(map(re.escape, _MODULES)) + r")(\.(?:weight|bias))"
)
_MARKS = (".attention.wqkv.", ".feed_forward.w")


def common_name(name: str) -> str:
    """The common name of a tensor of a Qwen model; any other name as it is."""
    for pattern, target in _RULES:
        if match := pattern.fullmatch(name):
            return match.expand(target)
    return name


def llama_name(name: str) -> str:
    """A name of InternLM2's language model as Llama has it; any other as it is."""
    match = _NAME.fullmatch(name)
    return name if match is None else f"{match[1]}{_MODULES[match[2]]}{match[3]}"


def internlm2_module(name: str) -> str:
    """What InternLM2 calls the module that holds a tensor of Llama: the last part, as `modules_to_save` names it."""
    module = name.rpartition(".")[0]
    own = next((own for own, other in _MODULES.items() if module.endswith(f".{other}")), module)
    return own.rpartition(".")[2]


def is_internlm2(stored: Iterable[str]) -> bool:
    """Whether stored names, of a whole model or of its LoRA, are those of InternLM2."""
    return any(mark in name for name in stored for mark in _MARKS)
