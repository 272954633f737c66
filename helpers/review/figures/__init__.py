"""Pictures of frames, ground truth and predictions, made with matplotlib."""
