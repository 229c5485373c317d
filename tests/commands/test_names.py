"""Names that mean something to a plotting or table library are names like any other here."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode import figures
from mua_decode.commands.main import main
from mua_decode.data.pooling import sites_wanted
from mua_decode.data.splitting import match_conditions
from mua_decode.recordings import write_nwb, write_recording
from mua_decode.recordings.files import load_csv
from mua_decode.recordings.videos import VideoSource
from mua_decode.runs.folder import RunFolder
from mua_decode.types import InputError, Recording, read_table
from tests.conftest import make_session, make_stimuli
from tests.stored_run import write_run
from tests.tiny import TINY

NAMES = [r"$\frac$", "NA", "None", "nan", "007", "$"]
REGIONS = (r"$\frac$", "NA", "007")


def odd_recording() -> Recording:
    stimuli = make_stimuli(len(NAMES), n_frames=8, shape=(1, 16, 16))
    stimuli = replace(stimuli, conditions=pd.DataFrame({"name": NAMES}))
    sessions = tuple(
        make_session(f"s{i}", stimuli, seed=i, regions=REGIONS, trials=10) for i in range(2)
    )
    return Recording(name="odd", sessions=sessions, stimuli=stimuli)


def test_odd_names_go_from_recording_to_report(tmp_path: Path) -> None:
    write_recording(odd_recording(), tmp_path / "r.h5")
    run = tmp_path / "run"
    main([
        "train", "recording=native", f"recording.path={tmp_path / 'r.h5'}", f"run_dir={run}",
        "data.window.width_s=0.1", "data.window.step_s=0.1", "data.pseudo.per_condition=4",
        "model=mlp_decoder", "loss.window_size=3", "trainer.max_epochs=1", "metric=[mse]",
        "floor=[mean_video]",
    ])  # fmt: skip
    assert set(RunFolder(run).load_results().frame["condition"]) == {*NAMES, "all"}
    assert set(read_table(run / "results.csv")["condition"]) == {*NAMES, "all"}
    main([
        "ablate", f"run_dir={run}", "metric=[mse]", "donors=1", "equal.repeats=0",
        "segments=false",
    ])  # fmt: skip
    losses = read_table(run / "ablation" / "results.csv")
    masks = set(losses["mask"])
    assert all(any(m.startswith(f"without {r}") for m in masks) for r in REGIONS)
    assert set(losses["condition"]) == {*NAMES, "all"}


def test_a_dollar_is_drawn_as_it_is_and_powers_as_such(tmp_path: Path) -> None:
    drawn = figures.confusion(
        np.repeat(np.arange(6), 3), np.repeat(np.arange(6), 3), names=NAMES, title=r"$\frac$"
    )
    figures.save(drawn, tmp_path / "a.svg")
    from matplotlib.figure import Figure

    powers = Figure()
    powers.subplots().set_yscale("log")
    figures.save(powers, tmp_path / "b.png")
    assert powers.axes[0].yaxis.get_ticklabels()[1].get_parse_math()
    assert (tmp_path / "a.svg").stat().st_size > 1000


def test_names_in_tables_are_read_as_they_stand(tmp_path: Path) -> None:
    values = [1.5, np.nan, *[2.0] * 5]
    table = pd.DataFrame({"name": [*NAMES, "b"], "region": "NA", "value": values})
    table.to_csv(tmp_path / "t.csv", index=False)
    for read in (load_csv, read_table):
        found = read(tmp_path / "t.csv")
        assert found["region"].tolist() == ["NA"] * 7
        assert found["value"].isna().tolist() == [False, True] + [False] * 5
    assert load_csv(tmp_path / "t.csv")["name"].tolist() == [*NAMES, "b"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", "b", "a", "c"], "conditions 0 and 2 are both called 'a'"),
        (["a", "b", "", "c"], "a condition has an empty name"),
        (["a", "b", " ", "c"], "a condition has an empty name"),
    ],
)
def test_conditions_that_cannot_be_told_apart_are_refused(names: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(make_stimuli(4), conditions=pd.DataFrame({"name": names}))


def test_columns_that_repeat_are_refused() -> None:
    stimuli = make_stimuli(4)
    session = make_session("s", stimuli)
    twice = pd.concat([session.trials, session.trials[["condition"]]], axis=1)
    with pytest.raises(InputError, match="columns of the trials repeat"):
        replace(session, trials=twice)
    both = pd.concat([stimuli.conditions, stimuli.conditions], axis=1)
    with pytest.raises(InputError, match="columns of the conditions table repeat"):
        replace(stimuli, conditions=both)


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_run_is_scored_by_something(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*TINY, "trainer.max_epochs=1", f"run_dir={tmp_path / 'new'}"]
    if command == "evaluate":
        write_run(tmp_path / "run")
        options = [f"run_dir={tmp_path / 'run'}"]
    with pytest.raises(SystemExit) as stopped:
        main([command, *options, "metric=[]", "floor=[]"])
    assert stopped.value.code == 2
    assert "metric: none is chosen; name at least one, e.g. metric=[mse]" in capsys.readouterr().err


def apart(name: str) -> str:
    """The name with its accents as characters of their own, which looks the same."""
    found = unicodedata.normalize("NFD", name)
    assert found != name
    return found


def test_names_that_look_alike_are_one_name() -> None:
    region, condition, session = "Präf", "größe", "s-é"
    stimuli = make_stimuli(2, n_frames=8, shape=(1, 16, 16))
    named = replace(stimuli, conditions=pd.DataFrame({"name": [apart(condition), "b"]}))
    made = make_session("s0", named, seed=0, regions=(apart(region), region, "MT"), trials=10)
    sites = replace(made.sites, session=np.full(len(made.sites), apart(session)))
    with pytest.raises(InputError, match="must list this session's sites"):
        replace(made, sites=sites)
    made = replace(made, name=apart(session), sites=sites)
    recording = Recording(name="r", sessions=(made,), stimuli=named)
    assert recording.sites.regions == [region, "MT"]
    assert named.names == [condition, "b"]
    for given in (region, apart(region)):
        assert recording.sites.in_regions([given]).sum() == (recording.sites.region == region).sum()
        wanted = {"regions": [given], "sites_per_region": {given: 1}}
        assert sites_wanted(recording.sites, **wanted) == {region: 1}
    for given in (condition, apart(condition), apart("grö*")):
        assert match_conditions([given], named.names) == (0,)
    for given in (session, apart(session)):
        assert recording.select_sessions([given]).sessions[0].name == session
    two = pd.DataFrame({"name": [condition, apart(condition)]})
    with pytest.raises(InputError, match="are both called 'größe'"):
        replace(stimuli, conditions=two)


def test_two_sessions_are_one_file_where_a_disk_cannot_tell_them_apart(tmp_path: Path) -> None:
    stimuli = make_stimuli(2, n_frames=8, shape=(1, 16, 16))
    for names in (("a1", "A1"), ("straße", "STRASSE")):
        sessions = tuple(make_session(n, stimuli, seed=0, trials=4) for n in names)
        with pytest.raises(InputError, match="session names give equal files"):
            write_nwb(Recording(name="r", sessions=sessions, stimuli=stimuli), tmp_path)


def test_a_film_is_found_by_either_form_of_its_name(tmp_path: Path) -> None:
    frames = np.zeros((4, 16, 16, 1), np.uint8)
    for given, lies in (("größe", apart("größe")), (apart("für"), "für"), ("é.1", apart("é.1"))):
        np.save(tmp_path / f"{lies}.npy", frames)
        found = VideoSource(folder=str(tmp_path), frame_s=0.1).read_folder(
            pd.DataFrame({"name": [given]})
        )
        assert found.videos.shape[1] == 4


def test_numbers_in_tables_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Pandas before 3.1 takes the last digit for rounding, unless it is asked."""
    values = np.random.default_rng(0).lognormal(0, 5, 2000)
    pd.DataFrame({"value": values}).to_csv(tmp_path / "t.csv", index=False)
    for read in (load_csv, read_table):
        assert (read(tmp_path / "t.csv")["value"] == values).all()
