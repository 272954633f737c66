"""Developers' tools: speed and memory, synthetic angiograms, the demo. Only the command line imports them."""
