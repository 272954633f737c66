"""Reading of checkpoints: safe, memory-mapped, without the training environment. Nothing here converts."""
