"""Every method on every recording, on videos shown in training and on videos that never were."""
