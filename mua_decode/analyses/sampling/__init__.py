"""The video decoded at several sampling rates."""
