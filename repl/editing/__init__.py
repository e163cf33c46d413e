"""What helps to write a line: completion, suggestions, the lines typed before, an editor of its own."""
