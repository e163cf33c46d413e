"""From text to tokens and back, and from files to text."""
