"""Writing without a full terminal: pipes, scripts, terminals that can only print."""
