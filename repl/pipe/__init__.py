"""Writing without a terminal: pipes and scripts."""
