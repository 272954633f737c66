"""How a Sa2VA model is loaded and fed: batches, threads around the model, dtypes, CUDA graphs, memory."""
