"""Activity predicted from the video."""
