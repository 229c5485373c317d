"""Overrides that make a run last seconds, shared by the tests of the commands."""

from __future__ import annotations

TINY = [
    "recording=simulated_small",
    "recording.stimulus.frame.resolution=0.5",
    "model.width=2",
    "model.kernel_sizes=[3,3,3,3]",
    "model.spike_hidden=16",
    "loss.normalisation=mean",
    "data.pseudo.per_condition=20",
    "data.batch_size=16",
    "floor=[mean_video,lookup]",
    "figures.draw=false",  # "figures.draw=true" where a test looks at them
]
