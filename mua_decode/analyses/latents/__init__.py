"""Maps of the activity and of the bottleneck."""
