"""Text and tokens: what a model reads and writes."""
