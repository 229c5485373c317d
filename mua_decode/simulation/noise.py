"""Spikes: Poisson counts whose rate fluctuates from trial to trial and within a trial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mua_decode.simulation.checks import require_range, require_whole


@dataclass(frozen=True, kw_only=True)
class NoiseParameters:
    """Variability beyond the mean rate. All zero (and ``fano`` 1) is a pure Poisson process."""

    # Standard deviation of the log of a trial's gain, one draw per trial for the whole session and
    # one per trial and site (Goris et al. 2014, doi 10.1038/nn.3711), >= 0.
    shared_gain_sd: float = 0.06
    private_gain_sd: float = 0.08
    shared_dimensions: int = 2  # number of latent signals that sites of a session share, >= 0
    shared_sd: float = 0.08  # standard deviation of their sum in a site's rate, in baselines, >= 0
    shared_tau_s: float = 0.2  # their correlation time in seconds, > 0
    # Variance over mean of the counts of a base bin given its rate, >= 1; above 1 counts are
    # negative binomial and independent from bin to bin.
    fano: float = 1.0

    def __post_init__(self) -> None:
        given = vars(self)
        require_range("noise", given, "shared_gain_sd", "private_gain_sd", "shared_sd", low=0)
        require_whole("noise", given, "shared_dimensions", low=0)
        require_range("noise", given, "shared_tau_s", low=0, above=True)
        require_range("noise", given, "fano", low=1)


def _latents(
    noise: NoiseParameters, *, trials: int, bins: int, bin_s: float, rng: np.random.Generator
) -> np.ndarray:
    """Unit-variance Ornstein-Uhlenbeck signals, float32 (trials, bins, dimensions)."""
    shape = (trials, bins, noise.shared_dimensions)
    out = rng.standard_normal(shape, dtype=np.float32)
    keep = np.float32(np.exp(-bin_s / noise.shared_tau_s))
    fresh = np.float32(np.sqrt(1 - keep**2))
    for t in range(1, bins):
        out[:, t] = keep * out[:, t - 1] + fresh * out[:, t]
    return out


def draw_counts(
    rates: np.ndarray,
    *,
    condition: np.ndarray,
    baseline_hz: np.ndarray,
    bin_s: float,
    noise: NoiseParameters,
    seed: np.random.SeedSequence,
) -> np.ndarray:
    """Spike counts (trials, T, N) of one session, unsigned, uint8 unless a count exceeds 255.

    Mean rates (K, T, N) and baselines (N,), the unit of the shared noise, are spikes per second;
    ``condition``, int (trials,), is that of every trial. Gains, latents and Poisson draws come from
    three streams spawned from ``seed``.
    """
    trials, bins, n = len(condition), rates.shape[1], rates.shape[2]
    fresh = np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key)
    gain_rng, latent_rng, spike_rng = (np.random.default_rng(s) for s in fresh.spawn(3))
    log_gain = noise.shared_gain_sd * gain_rng.standard_normal((trials, 1))
    log_gain = log_gain + noise.private_gain_sd * gain_rng.standard_normal((trials, n))
    mean_log = (noise.shared_gain_sd**2 + noise.private_gain_sd**2) / 2  # so that the mean is 1
    gain = np.exp(log_gain - mean_log).astype(np.float32)
    mean = rates[condition] * gain[:, None]
    if noise.shared_dimensions and noise.shared_sd:
        latent = _latents(noise, trials=trials, bins=bins, bin_s=bin_s, rng=latent_rng)
        loading = latent_rng.standard_normal((noise.shared_dimensions, n))
        loading *= noise.shared_sd / np.linalg.norm(loading, axis=0)
        mean += latent @ (loading * baseline_hz).astype(np.float32)
        np.maximum(mean, 0, out=mean)
    mean *= np.float32(bin_s)
    counts = np.empty(mean.shape, np.uint16)
    for trial in range(trials):  # the draws come as int64; one trial at a time keeps them small
        expected = mean[trial]
        if noise.fano > 1:
            scale = noise.fano - 1
            expected = spike_rng.gamma(expected / scale, scale)
        counts[trial] = spike_rng.poisson(expected)
    return counts.astype(np.uint8) if counts.max(initial=0) <= 255 else counts
