"""Conditions never trained on, and less data."""
