"""Every result of the paper from one command, each beside its rigorous twin."""
