"""What is planted is what is recorded."""

import numpy as np
import pytest

from mua_decode.simulation import ImageryParameters, simulate_imagery
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


def test_bad_parameters_are_refused():
    with pytest.raises(InputError, match="share_tuned must be"):
        ImageryParameters(share_tuned=1.2)
    with pytest.raises(InputError, match="images must be a whole number >= 12"):
        ImageryParameters(images=5)
