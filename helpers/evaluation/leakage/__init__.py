"""Whether scored patients were in the training data: names of its images, kept as hashes on this machine."""
