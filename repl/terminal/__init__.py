"""The prompt of a terminal: keys, completion, suggestions; a plain one where a terminal can only print."""
