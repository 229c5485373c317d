"""The page of a run and the index of many, of folders that may come from elsewhere."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from mua_decode.commands.main import main
from mua_decode.report import Films
from mua_decode.runs.index import write_index
from mua_decode.runs.page import PAGE, write_run_page
from mua_decode.runs.typed import typed_line
from mua_decode.types import InputError
from tests.tiny import TINY

EVIL = "</script><img src=x onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and a copy of it that is above its floors."""
    place = tmp_path_factory.mktemp("runs")
    few = ["trainer.max_epochs=1", "metric=[identification,pixel_correlation,mse]"]
    few += ["figures.draw=true"]
    main(["train", *TINY, *few, f"run_dir={place / 'poor'}"])
    shutil.copytree(place / "poor", place / "good")
    flat = json.loads((place / "good" / "metrics.json").read_text())
    flat["test/single_trial/identification"] = flat["test/single_trial/pixel_correlation"] = 1.0
    (place / "good" / "metrics.json").write_text(json.dumps(flat))
    config = place / "good" / "config.yaml"
    config.write_text(config.read_text().replace("width: 2", "width: 99"))
    write_run_page(place / "good")
    return place


def test_a_run_leaves_its_page(root: Path) -> None:
    text = (root / "poor" / PAGE).read_text()
    for said in (
        "THE DECODER IS BELOW A FLOOR", "Scores beside floors", "floor/lookup",
        "decoded, one trial", "What was read", "session01", "free of leaks",
        "mua-decode train recording=simulated_small",
        "Conditions identified", "Losses by epoch",
    ):  # fmt: skip
        assert said in text, said
    assert "BELOW A FLOOR" not in (root / "good" / PAGE).read_text()
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_an_evaluation_stands_beside_its_own_floors(root: Path, tmp_path: Path) -> None:
    """What the run knew of another part, or did not know, says nothing of what was asked."""
    metrics = "metrics.json"
    for run, asked, below in (("good", "poor", True), ("poor", "good", False)):
        for place in (tmp_path / run, tmp_path / f"{run}_asked"):
            place.mkdir()
        shutil.copy(root / run / metrics, tmp_path / run)
        shutil.copy(root / asked / metrics, tmp_path / f"{run}_asked")
        page = write_run_page(tmp_path / f"{run}_asked", tmp_path / run)
        assert ("BELOW A FLOOR" in page.read_text()) == below


def test_an_older_run_gets_its_page(root: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(root / "poor", old)
    for name in ("films.npz", "command.json", PAGE):
        (old / name).unlink()
    main(["report", str(old)])
    text = (old / PAGE).read_text()
    assert "decoded, one trial" in text  # decoded again
    assert "recording=simulated_small" in text  # the line, made of config.yaml
    with np.load(root / "poor" / "films.npz") as kept, np.load(old / "films.npz") as again:
        assert json.loads(bytes(again["names"]))[1] == "row/decoded, one trial"
        assert np.array_equal(kept["1"], again["1"])  # the same trials, the same weights


def test_an_index_of_all_runs(root: Path) -> None:
    (root / "good" / PAGE).unlink()
    main(["report", str(root)])
    text = (root / "index.html").read_text()
    assert (root / "good" / PAGE).is_file()
    assert 'href="./poor/report.html"' in text
    assert "model.width" in text.replace(" ", "_")  # what they differ in
    assert text.count('class="warned"') == 1
    assert text.count("data:image/png") == 2
    with pytest.raises(InputError, match="holds no run"):
        write_index(root / "poor" / "figures")


def test_a_folder_from_elsewhere(root: Path, tmp_path: Path) -> None:
    """Markup is text, damage is left out, and the line to repeat it is one command."""
    bad = tmp_path / f"run {EVIL.replace('/', '_')}"
    shutil.copytree(root / "poor", bad)
    (bad / "films.npz").write_bytes(b"PK\x03\x04 no archive")
    (bad / "figures" / "captions.json").write_text(json.dumps({"loss": EVIL}))
    (bad / "notes.csv").write_text(f"name,value\n{EVIL},1\n{'x' * 10_000},2\n")
    (bad / "odd.csv").write_text('a\n\x00\n"')
    (bad / "recording.json").write_text(json.dumps({"trials": [1], "notes": [EVIL], "sites": 3}))
    (bad / "population.json").write_text("{" * 1000)
    command = {"command": ["train", "x=1; rm -rf ~", "$(reboot)", "\x1b[2J"]}
    (bad / "command.json").write_text(json.dumps(command))
    flat = json.loads((bad / "metrics.json").read_text())
    flat |= {
        "failed": {EVIL: 1},
        "audit": EVIL,
        "leaking": [EVIL],
        "chance/identification": 10**400,
    }
    (bad / "metrics.json").write_text(json.dumps(flat))
    text = write_run_page(bad).read_text()
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text
    assert "x" * 1000 not in text
    assert typed_line(bad) == "mua-decode train 'x=1; rm -rf ~' '$(reboot)' '\\x1b[2J'"
    (bad / "command.json").write_text(json.dumps({"command": ["train; reboot"]}))
    assert typed_line(bad) == ""
    index = write_index(tmp_path).read_text()
    assert "<img src=x" not in index
    assert 'href="./run%20%3C' in index


DAMAGED = ["{}", "[]", "3", '{"command": 3}', '{"command": []}', "{", "[" * 100_000]


@pytest.mark.parametrize("command", DAMAGED, ids=lambda c: c[:14])
def test_a_damaged_command_is_no_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "command.json").write_text(command)
    assert typed_line(tmp_path) == ""


def test_films_that_unpack_to_too_much_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "films.npz"
    np.savez_compressed(path, a=np.zeros(600 << 20, np.uint8))
    with pytest.raises(InputError, match="refused"):
        Films.load(path)


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for asked, said in ((["report"], "run_dir is not set"), (["report", "nowhere"], "no folder")):
        with pytest.raises(SystemExit):
            main(asked)
        assert said in capsys.readouterr().err


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs chromium and chromedriver on PATH")
    options = webdriver.ChromeOptions()
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as started:
        yield started


def test_both_in_a_browser(root: Path, browser) -> None:
    write_index(root)
    browser.get((root / "index.html").as_uri())

    def order() -> list[str]:
        return [a.text for a in browser.find_elements("css selector", "table.runs a")]

    heads = browser.find_elements("css selector", ".sort")
    by_score = next(h for h in heads if h.text == "identification")
    by_score.click()
    assert order() == ["good", "poor"]  # best first
    by_score.click()
    assert order() == ["poor", "good"]
    heads[0].click()
    assert order() == ["good", "poor"]  # by name
    browser.find_element("link text", "poor").click()
    said = [h.text for h in browser.find_elements("css selector", ".headline.warning .value")]
    assert said == ["not above chance", "below a floor"]
    until = time.monotonic() + 10
    while browser.find_elements("css selector", '.player[aria-busy="true"]'):
        assert time.monotonic() < until
        time.sleep(0.02)
    shown = browser.execute_script(
        "const c = document.querySelectorAll('.player canvas')[1];"
        "return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    )
    film = Films.load(root / "poor" / "films.npz").rows["decoded, one trial"]
    frame = int(browser.execute_script("return document.querySelector('.scrub').value"))
    c, h, w = film.shape[2:]
    wanted = film[0, frame]
    assert np.array_equal(np.reshape(shown, (h, w, 4))[..., :3].transpose(2, 0, 1)[:c], wanted)
    assert browser.get_log("browser") == []


def test_a_thumbnail_shows_true_above_decoded(root: Path) -> None:
    from mua_decode.runs.index import _thumbnail

    films = Films.load(root / "poor" / "films.npz")
    image = cv2.imdecode(np.frombuffer(_thumbnail(films), np.uint8), cv2.IMREAD_COLOR)
    upper, lower = np.split(image.astype(float), 2)
    true, decoded = (v.mean() for v in list(films.rows.values())[:2])
    assert abs(upper.mean() - true) < abs(upper.mean() - decoded)
    assert abs(lower.mean() - decoded) < abs(lower.mean() - true)


def test_numbers_say_what_is_independent(root: Path) -> None:
    flat = json.loads((root / "poor" / "metrics.json").read_text())
    assert 1 <= flat["test/n_independent_trials"] <= flat["test/n_recorded_trials"]
    assert flat["chance/most_frequent_condition"] >= flat["chance/identification"] - 1e-9
    assert "stand_in" not in flat


def test_a_run_that_ended_before_its_scores_is_marked(root: Path, tmp_path: Path) -> None:
    (tmp_path / "crashed").mkdir()
    shutil.copy(root / "poor" / "config.yaml", tmp_path / "crashed")
    text = write_index(tmp_path).read_text()
    assert text.count('class="warned"') == 1
    assert "1 without scores" in text
    assert "no scores: not finished" in text


def test_an_evaluation_scores_by_the_metrics_of_the_run(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["evaluate", f"run_dir={root / 'poor'}", "floor=[]", "figures.draw=false"]
    for more, part, names in (
        (["part=val"], "val", {"identification", "pixel_correlation", "mse"}),
        (["metric=[ssim]"], "test", {"ssim"}),
    ):
        main([*ask, *more, f"out_dir={tmp_path / part}"])
        flat = json.loads((tmp_path / part / "metrics.json").read_text())
        prefix = f"{part}/single_trial/"
        assert {k.split("/")[2] for k in flat if k.startswith(prefix)} == names
        said = "leaks are counted for the test part, not for val" in capsys.readouterr().err
        assert said == (part == "val")
