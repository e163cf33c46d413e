"""The REST side of this Discord."""
