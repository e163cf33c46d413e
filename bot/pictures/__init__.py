"""Pictures of stories, as PNG. Knows no Discord."""
