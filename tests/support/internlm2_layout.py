"""InternLM2's names and its fused attention weight, made from Llama's: the way back from what the conversion does."""

from collections.abc import Mapping

import torch

LLAMA = {
    "model.embed_tokens.": "model.tok_embeddings.",
    "lm_head.": "output.",
    "self_attn.o_proj.": "attention.wo.",
    "mlp.gate_proj.": "feed_forward.w1.",
    "mlp.down_proj.": "feed_forward.w2.",
    "mlp.up_proj.": "feed_forward.w3.",
    "input_layernorm.": "attention_norm.",
    "post_attention_layernorm.": "ffn_norm.",
}
_QUERY = "self_attn.q_proj."


def renamed(name: str) -> str:
    """A name of Llama's as InternLM2 has it, but for queries, keys and values."""
    for part, own in LLAMA.items():
        name = name.replace(f".{part}", f".{own}")
    return name


def fused(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, key_heads: int) -> torch.Tensor:
    """Rows of `wqkv`: for each key head its query heads, the key head, the value head. All (heads * d, n)."""
    parts = [part.reshape(key_heads, -1, len(key) // key_heads, part.shape[-1]) for part in (query, key, value)]
    return torch.cat(parts, dim=1).flatten(0, 2)


def internlm2_tensors(official: Mapping[str, torch.Tensor], key_heads: int) -> dict[str, torch.Tensor]:
    """Tensors of a model with Llama's language model, in the official names, as one with InternLM2 stores them."""
    found = {}
    for name, tensor in official.items():
        if not name.startswith("language_model."):
            found[name] = tensor
        elif _QUERY in name:
            key, value = (official[name.replace(_QUERY, f"self_attn.{part}_proj.")] for part in "kv")
            found[name.replace(_QUERY, "attention.wqkv.")] = fused(tensor, key, value, key_heads)
        elif "self_attn.k_proj." not in name and "self_attn.v_proj." not in name:
            found[renamed(name)] = tensor
    return found
