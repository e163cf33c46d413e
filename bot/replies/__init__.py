"""Replies: who asked for what, in which order they are written, and in which story."""
