"""Pictures of the axis code."""
