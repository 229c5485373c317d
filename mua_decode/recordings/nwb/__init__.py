"""Neurodata Without Borders: read and written."""
