"""How alike trials are."""
