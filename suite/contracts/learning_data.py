"""Sizes of the data set of learning cases, for the matrix and the worker."""

TRAINING_IMAGES = 1437
"""Digits in the training set: four fifths of all."""
TEST_IMAGES = 360
"""Digits in the test set, which gives the accuracy."""
