"""Conversations: a tree of turns, each of which ends in a checkpoint."""
