"""What members type and press."""
