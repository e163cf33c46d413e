"""The prompt of a terminal: keys, completion, suggestions."""
