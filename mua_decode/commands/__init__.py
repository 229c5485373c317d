"""One file per command; the only room that knows Hydra and W&B."""
