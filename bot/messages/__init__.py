"""Text as Discord messages, at the pace that Discord allows."""
