"""What is planted is what is recorded."""

import numpy as np
import pytest

from mua_decode.simulation import (
    ImageryParameters,
    SiteKinds,
    answer_images,
    simulate_imagery,
)
from mua_decode.simulation.imagery import plant_experiment
from mua_decode.types import InputError

SMALL = {"regions": {"VTC": 20, "MTL": 10}, "images": 40, "objects": 5, "sessions": 2}


def test_same_seed_same_recording_and_planted_shares_are_exact():
    a, b = (simulate_imagery(imagery=ImageryParameters(**SMALL), seed=3) for _ in range(2))
    for s, t in zip(a.sessions, b.sessions, strict=True):
        np.testing.assert_array_equal(s.counts, t.counts)
    truth = a.truth["sites"].groupby("region")
    assert truth["tuned"].sum().to_dict() == {"MTL": 8, "VTC": 16}
    assert truth["reactivates"].sum().to_dict() == {"MTL": 3, "VTC": 6}
    assert not (a.truth["sites"]["reactivates"] & ~a.truth["sites"]["tuned"]).any()
    assert {len(s.sites) for s in a.sessions} == {15}


def test_rates_follow_what_is_planted():
    p = ImageryParameters(**SMALL, perception_trials=60, imagery_trials=200)
    recording = simulate_imagery(imagery=p, seed=0)
    for session in recording.sessions:
        truth = recording.truth["sites"].set_index("site_id").loc[session.sites.site_id]
        imagined = (session.trials["state"] == "imagery").to_numpy()
        before, after = (session.counts[:, t] / p.bin_s for t in (0, 1))
        assert before.mean() == pytest.approx(p.baseline_hz, rel=0.02)
        silent = ~truth["reactivates"].to_numpy()
        assert after[imagined][:, silent].mean() == pytest.approx(p.baseline_hz, rel=0.02)
        assert after[~imagined].mean() == pytest.approx(p.baseline_hz + p.onset_hz, rel=0.1)
        rose = after[imagined][:, ~silent].mean() - p.baseline_hz
        assert rose == pytest.approx(p.imagery_scale * p.onset_hz, rel=0.5)


def _changes(recording):
    """Mean change from baseline of every site, imagined and perceived."""
    found = []
    for state in ("imagery", "perception"):
        parts = []
        for s in recording.sessions:
            rows = (s.trials["state"] == state).to_numpy()
            rate = s.counts[rows].astype(float) / s.bin_s
            parts.append((rate[:, 1] - rate[:, 0]).mean(axis=0))
        found.append(np.concatenate(parts))
    return found


def test_controls_do_what_they_are_planted_to():
    kinds = SiteKinds(
        share_suppressed=0.5, suppression_hz=3, share_untuned_replaying=0.5, share_imagery_only=0.5
    )
    given = SMALL | {"regions": {"VTC": 40}, "share_tuned": 0.5, "imagery_trials": 200}
    p = ImageryParameters(**given, kinds=kinds, imagery_shift_hz=1.5, imagery_scale=0)
    recording = simulate_imagery(imagery=p, seed=0)
    order = np.concatenate([s.sites.site_id for s in recording.sessions])
    truth = recording.truth["sites"].set_index("site_id").loc[order]
    imagined, perceived = _changes(recording)
    replaying = truth["reactivates"] | truth["untuned_replaying"] | truth["imagery_only"]
    np.testing.assert_allclose(imagined[replaying], 1.5, atol=0.7)
    np.testing.assert_allclose(imagined[truth["suppressed"]], -3, atol=0.7)
    np.testing.assert_allclose(imagined[~replaying & ~truth["suppressed"]], 0, atol=0.7)
    np.testing.assert_allclose(perceived[truth["imagery_only"]], 0, atol=1.5)
    assert perceived[~truth["imagery_only"]].min() > 2
    assert truth["suppressed"].sum() == 10
    assert not (truth["suppressed"] & truth["reactivates"]).any()


def test_images_fall_into_categories_that_share_their_latents():
    p = ImageryParameters(**SMALL | {"images": 60}, categories=3, category_variance=0.8)
    recording = simulate_imagery(imagery=p, seed=0)
    names = recording.stimuli.conditions["category"].to_numpy()
    latent = recording.truth["images"].filter(like="latent").to_numpy()
    within = np.mean([latent[names == c].var(axis=0) for c in np.unique(names)])
    assert len(np.unique(names)) == 3
    assert within < 0.5 * latent.var(axis=0).mean()


def test_bad_parameters_are_refused():
    with pytest.raises(InputError, match="replays must be one of all, axis, idiosyncratic"):
        SiteKinds(replays="none")
    with pytest.raises(InputError, match=r"shares of untuned sites add up to 1\.2"):
        SiteKinds(share_untuned_replaying=0.6, share_imagery_only=0.6)
    with pytest.raises(InputError, match="exceed 1 together"):
        ImageryParameters(share_reactivating=0.7, kinds=SiteKinds(share_suppressed=0.4))
    with pytest.raises(InputError, match=r"needs imagery\.categories > 0"):
        simulate_imagery(
            imagery=ImageryParameters(**SMALL, kinds=SiteKinds(share_category_only=1)), seed=0
        )
    with pytest.raises(InputError, match="share_tuned must be"):
        ImageryParameters(share_tuned=1.2)
    with pytest.raises(InputError, match="images must be a whole number >= 12"):
        ImageryParameters(images=5)


def test_saturation_bounds_the_drive_and_contrast_takes_its_share():
    given = {"regions": {"VTC": 40}, "share_tuned": 1.0, "images": 200, "objects": 5}
    parameters = {
        k: ImageryParameters(**given, kinds=SiteKinds(**v))
        for k, v in {
            "linear": {},
            "saturating": {"saturation_sd": 1.0},
            "contrast": {"contrast": 1.0},
        }.items()
    }
    made = {k: plant_experiment(p, 0) for k, p in parameters.items()}
    drive = {k: (m.responses.perceived - 6) / 4 for k, m in made.items()}
    np.testing.assert_allclose(drive["saturating"], np.tanh(drive["linear"]))
    assert np.abs(drive["linear"]).max() > 2
    images = made["contrast"].stimuli.videos[:, 1]
    contrast = images.reshape(len(images), -1).std(axis=1)
    r = np.corrcoef(drive["contrast"].T, contrast)[-1, :-1]
    np.testing.assert_allclose(r, 1)
    recording = simulate_imagery(imagery=parameters["saturating"], seed=0)
    shown = np.full((1, 3, 32, 32), 128, np.uint8)
    shown[0, :, :16] = 255
    rates = answer_images(recording, shown, presentations=400, seed=0)
    assert rates.mean(axis=1).max() < 5 + 6 + 4 + 1  # baseline, onset, one s.d., noise


def test_saturation_must_be_positive():
    with pytest.raises(InputError, match="saturation_sd must be > 0"):
        SiteKinds(saturation_sd=0.0)


def test_an_experiment_that_memory_does_not_hold_is_refused() -> None:
    for options in ({"images": 10**9}, {"perception_trials": 10**9}):
        with pytest.raises(InputError, match="simulation: imagery would take"):
            simulate_imagery(imagery=ImageryParameters(**options), seed=0)
