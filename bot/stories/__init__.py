"""The stories of channels: kept in the store, opened, moved about in, voted on. Knows nothing of commands."""
