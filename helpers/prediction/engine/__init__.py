"""How a Sa2VA model is loaded and fed: batches, prefetch, dtypes, CUDA graphs, memory."""
