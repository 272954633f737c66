"""A look at a whole data set before anything runs on it."""
