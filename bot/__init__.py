"""The Discord bot: members of a server write stories with a model trained on their own words."""
