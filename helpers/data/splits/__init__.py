"""Which patients of a data set train, choose and test, and how often those that test were looked at."""
