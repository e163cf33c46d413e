"""The prompt of a terminal: its keys and its event loop; a plain one where a terminal can only print."""
