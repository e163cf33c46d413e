"""What this machine has to train with."""
