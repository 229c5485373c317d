from pathlib import Path

import pytest
import torch
import yaml

from mua_decode.losses import SSIMMSELoss, ssim

WEIGHTS = [1.0, 2.0, 2.0, 5.0]


def videos(batch=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 3, 4, 16, 16)
    return (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2))


def by_the_formula(predicted, true):
    """Frame by frame and sample by sample."""
    dissimilarity, error = 0.0, 0.0
    for p, t in zip(predicted, true, strict=True):
        for i, weight in enumerate(WEIGHTS):
            similarity = ssim(p[:, i], t[:, i], data_range=1.0).mean()
            dissimilarity = dissimilarity + weight * (1 - similarity)
        error = error + (p - t).square().sum()
    return dissimilarity / len(predicted), error / len(predicted)


def test_both_forms_follow_their_formula():
    predicted, true = videos()
    dissimilarity, error = by_the_formula(predicted, true)
    summed = SSIMMSELoss(WEIGHTS, data_range=1.0, normalisation="sum")(predicted, true)
    torch.testing.assert_close(summed, dissimilarity + error)
    mean = SSIMMSELoss(WEIGHTS, data_range=1.0, normalisation="mean", mse_weight=2.0)
    wanted = dissimilarity / sum(WEIGHTS) + 2 * error / true[0].numel()
    torch.testing.assert_close(mean(predicted, true), wanted)


@pytest.mark.parametrize("normalisation", ["sum", "mean"])
def test_independent_of_batch_size(normalisation):
    predicted, true = videos(batch=4)
    loss = SSIMMSELoss(WEIGHTS, data_range=1.0, normalisation=normalisation)
    singles = [loss(predicted[i : i + 1], true[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(loss(predicted, true), torch.stack(singles).mean())


def test_terms_add_up_and_gradient_flows():
    predicted, true = videos()
    predicted.requires_grad_()
    loss = SSIMMSELoss(WEIGHTS, data_range=1.0, normalisation="mean", mse_weight=3.0)
    terms = loss.terms(predicted, true)
    torch.testing.assert_close(terms.total, terms.dissimilarity + 3 * terms.error)
    terms.total.backward()
    assert bool(predicted.grad.isfinite().all())
    assert float(loss(true, true)) == pytest.approx(0.0, abs=1e-9)


def test_half_precision_is_judged_in_single():
    predicted, true = (v.float() for v in videos())
    loss = SSIMMSELoss(WEIGHTS, data_range=1.0, normalisation="mean")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = loss(predicted.bfloat16(), true)
    assert mixed.dtype == torch.float32
    assert float(mixed) == pytest.approx(float(loss(predicted, true)), abs=0.02)


@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [1.0, -1.0], [[1.0]]])
def test_bad_weights_are_refused(weights):
    with pytest.raises(ValueError, match="frame_weights"):
        SSIMMSELoss(weights, data_range=1.0, normalisation="sum")


def test_bad_shapes_and_names_are_refused():
    predicted, true = videos()
    loss = SSIMMSELoss(WEIGHTS, data_range=1.0, normalisation="sum")
    with pytest.raises(ValueError, match="T = 4"):
        loss(predicted[:, :, :3], true[:, :, :3])
    with pytest.raises(ValueError, match="normalisation"):
        SSIMMSELoss(WEIGHTS, data_range=1.0, normalisation="median")


def test_the_config_names_real_options():
    path = Path(__file__).parents[2] / "conf" / "loss" / "ssim_mse.yaml"
    options = yaml.safe_load(path.read_text())
    assert options.pop("_target_") == "mua_decode.losses.SSIMMSELoss"
    SSIMMSELoss(frame_weights=WEIGHTS, **options)
