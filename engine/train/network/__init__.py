"""The network that is trained, its loss, and what regularizes it."""
