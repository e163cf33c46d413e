"""`python -m engine.bench`: measures speed, scale and quality."""
