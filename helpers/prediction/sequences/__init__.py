"""Sa2VA over the frames of a sequence, alone and through SAM2's memory."""
