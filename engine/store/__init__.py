"""Conversations in SQL."""
