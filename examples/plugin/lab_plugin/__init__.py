"""A recording format, a network, a loss, a metric and a question of our lab."""
