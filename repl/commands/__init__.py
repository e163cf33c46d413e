"""The commands that a writer types."""
