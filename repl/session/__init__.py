"""A writer's session: its stories, and where they are kept."""
