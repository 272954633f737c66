"""Names of InternLM2's tensors and modules against Llama's: it computes the same.

Its attention weight for queries, keys and values is one, `attention.wqkv`, which has no counterpart in Llama.
"""

import re
from collections.abc import Iterable

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
