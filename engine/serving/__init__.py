"""Many conversations at once in one batch."""
