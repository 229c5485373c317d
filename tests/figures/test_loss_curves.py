from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.figures import loss_curves
from mua_decode.types import InputError


def _table() -> pd.DataFrame:
    rows = []
    for epoch, (train, val) in enumerate([(3.0, 2.0), (0.2, 1.0), (0.1, 1.5)]):
        rows.append({"epoch": epoch, "step": 9, "train/loss": train, "val/loss": np.nan})
        rows.append({"epoch": epoch, "step": 9, "train/loss": np.nan, "val/loss": val})
    return pd.DataFrame(rows)


def _log(folder: Path, table: pd.DataFrame) -> Path:
    table.to_csv(folder / "metrics.csv", index=False)
    return folder / "metrics.csv"


def test_curves_from_the_csv_of_a_run(tmp_path):
    figure = loss_curves(_log(tmp_path, _table()))
    figure.savefig(BytesIO(), format="png")
    ax = figure.axes[0]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [3.0, 0.2, 0.1])
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [2.0, 1.0, 1.5])
    assert ax.get_legend().get_texts()[-1].get_text() == "best epoch 1: 1"
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("epoch", "loss", "log")


def test_training_alone_and_one_epoch(tmp_path):
    figure = loss_curves(_log(tmp_path, _table()[["epoch", "train/loss"]].head(1)))
    figure.savefig(BytesIO(), format="png")
    assert len(figure.axes[0].lines) == 1


def test_missing_file_column_and_values_are_named(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        loss_curves(tmp_path / "no.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InputError, match="not a readable CSV"):
        loss_curves(tmp_path / "empty.csv")
    with pytest.raises(InputError, match="did you mean 'train_loss'"):
        loss_curves(_log(tmp_path, _table().rename(columns={"train/loss": "train_loss"})))
    with pytest.raises(InputError, match="no value"):
        loss_curves(_log(tmp_path, _table().iloc[1:2]))
