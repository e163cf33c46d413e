"""What Discord accepts, and in what form."""
