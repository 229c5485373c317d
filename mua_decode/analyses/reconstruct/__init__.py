"""What is seen in decoded videos: shape, colour, motion."""
