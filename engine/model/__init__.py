"""Trained models: what is in a model directory, and the step function that runs it."""
