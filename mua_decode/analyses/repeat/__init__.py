"""The same run from several seeds."""
