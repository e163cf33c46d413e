"""Measurements of speed and quality: `python -m engine.bench`."""
