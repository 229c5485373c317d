"""What can be decoded from one region alone."""
