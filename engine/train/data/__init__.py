"""From plain text to token ids, and to the batches of an update."""
