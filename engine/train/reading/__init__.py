"""From what stands after `--data` to plain text."""
