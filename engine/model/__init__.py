"""Trained models: the files of a model directory, and the step functions that run a network."""
