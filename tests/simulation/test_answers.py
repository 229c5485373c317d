"""Simulated sites answer new images with the tuning they were planted with."""

import dataclasses

import numpy as np
import pytest

from mua_decode.recordings.native import read_native, write_recording
from mua_decode.simulation import ImageryParameters, SiteKinds, answer_images, simulate_imagery
from mua_decode.types import InputError

SMALL = {"regions": {"VTC": 20, "MTL": 10}, "images": 60, "objects": 5, "sessions": 2}


def _answer(recording, images, n=400, seed=0):
    return answer_images(recording, images, presentations=n, seed=seed)


def _planted(recording):
    return recording.truth["sites"].set_index("site_id").loc[recording.sites.site_id]


def test_images_of_the_experiment_are_answered_as_they_were():
    p = ImageryParameters(**SMALL, perception_trials=200)
    recording = simulate_imagery(imagery=p, seed=1)
    images = recording.stimuli.videos[:8, 1]
    answered = _answer(recording, images).mean(axis=1)
    first = 0
    for session in recording.sessions:
        state = (session.trials["state"] == "perception").to_numpy()
        for k in range(8):
            at = state & (session.trials["condition"] == k).to_numpy()
            mean = session.counts[at, 1].mean(axis=0) / p.bin_s
            np.testing.assert_allclose(answered[k, first : first + 15], mean, atol=2.2)
        first += 15


def test_new_images_drive_tuned_sites_along_their_axes_and_by_nothing_else():
    recording = simulate_imagery(imagery=ImageryParameters(**SMALL), seed=2)
    truth, videos = _planted(recording), recording.stimuli.videos[:, 1].astype(float)
    blend = np.round((videos[:30] + videos[30:]) / 2).astype(np.uint8)
    latent = recording.truth["images"].filter(like="latent").to_numpy()
    between = (latent[:30] + latent[30:]) / 2
    answered = _answer(recording, blend).mean(axis=1)
    expected = np.maximum(11 + 4 * between @ truth.filter(like="axis_").to_numpy().T, 0.5)
    tuned = truth["tuned"].to_numpy()
    np.testing.assert_allclose(answered[:, tuned], expected[:, tuned], atol=1.5)
    # The others answer an amount of their own, the same whenever the image is shown.
    again = _answer(recording, blend, seed=9).mean(axis=1)
    own = answered[:, ~tuned]
    assert np.corrcoef(own.ravel(), again[:, ~tuned].ravel())[0, 1] > 0.95
    assert abs(np.corrcoef(own.ravel(), expected[:, ~tuned].ravel())[0, 1]) < 0.25
    # Along directions that no image of the experiment has, nothing happens.
    rng = np.random.default_rng(0)
    checks = np.where(rng.random(videos[:1].shape) < 0.5, 118, 138).astype(np.uint8)
    grey = np.full_like(checks, 128)
    change = _answer(recording, np.concatenate([checks, grey])).mean(axis=1)[:, tuned]
    assert np.abs(change[0] - change[1]).max() < 2


def test_answers_depend_on_the_seed_alone_and_survive_a_file(tmp_path):
    recording = simulate_imagery(imagery=ImageryParameters(**SMALL), seed=3)
    images = 255 - recording.stimuli.videos[:4, 1]
    first = _answer(recording, images, n=3)
    write_recording(recording, tmp_path / "r.h5")
    np.testing.assert_array_equal(_answer(read_native(tmp_path / "r.h5"), images, n=3), first)
    assert (_answer(recording, images, n=3, seed=1) != first).any()
    fewer = dataclasses.replace(recording, sessions=recording.sessions[1:])
    assert _answer(fewer, images, n=3).shape == (4, 3, 15)


def test_controls_answer_as_planted():
    kinds = SiteKinds(idiosyncratic=0.5, share_imagery_only=0.5)
    recording = simulate_imagery(imagery=ImageryParameters(**SMALL, kinds=kinds), seed=4)
    truth = _planted(recording)
    answered = _answer(recording, 255 - recording.stimuli.videos[:20, 1]).mean(axis=1)
    silent = truth["imagery_only"].to_numpy()
    assert silent.sum() == 3
    np.testing.assert_allclose(answered[:, silent], 5, atol=0.8)
    latent = -recording.truth["images"].filter(like="latent").to_numpy()[:20]
    tuned = truth["tuned"].to_numpy()
    along = (latent @ truth.filter(like="axis_").to_numpy().T)[:, tuned]
    r = np.corrcoef(along.ravel(), answered[:, tuned].ravel())[0, 1]
    assert r == pytest.approx(np.sqrt(0.5), abs=0.1)


def test_what_cannot_be_answered_is_refused(recording):
    with pytest.raises(InputError, match="is not simulated"):
        _answer(recording, np.zeros((1, 3, 32, 32), np.uint8))
    own = simulate_imagery(imagery=ImageryParameters(**SMALL), seed=0)
    with pytest.raises(InputError, match=r"images must be uint8 \(M, \*\(3, 32, 32\)\)"):
        _answer(own, np.zeros((1, 3, 16, 16), np.uint8))
