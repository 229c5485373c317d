"""Other models under identical settings."""
