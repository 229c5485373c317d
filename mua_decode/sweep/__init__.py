"""Search hyper-parameters by validation loss, on several workers or machines."""
