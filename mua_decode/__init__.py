"""Decode video from multi-unit activity, and ask what each brain region contributes."""

__version__ = "0.1.0"
