"""What a story has said so far, counted and mixed into the network's probabilities."""
