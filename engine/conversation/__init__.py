"""What a conversation is: a tree of turns that can be undone, forked and written again."""
