"""`textrepl`: write with a model in a terminal, or in a pipe."""
