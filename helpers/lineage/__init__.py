"""What a model was trained on: names of training images, kept as hashes on the machine that converted it."""
