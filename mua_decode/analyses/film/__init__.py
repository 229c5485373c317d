"""Continuous films: the lag, scores by block of time, and how long a stretch identifies itself."""
