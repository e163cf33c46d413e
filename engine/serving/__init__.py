"""Serving: many conversations in one batched step."""
