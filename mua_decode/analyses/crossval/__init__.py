"""Every trial tested once, by a network that has not seen it."""
