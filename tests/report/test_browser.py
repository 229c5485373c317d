"""The page in a real browser: it plays, switches, fits the screen and asks for nothing."""

import itertools
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mua_decode.report import (
    Films,
    Headline,
    NotApplicable,
    Picture,
    RegionPanel,
    Section,
    Statistics,
    write_page,
)
from mua_decode.types import Segment

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

K, T, H, W = 4, 12, 16, 20
REGIONS = ["<script>window.hacked=1</script>", '"</script><img src=x onerror="window.hacked=1">']
NAMES = ["first", "</option></select><script>window.hacked=1</script>", "third & last", "d" * 60]
SEGMENTS = (Segment("fixation", 0, 2), Segment("cue <i>", 2, 6), Segment("stimulus", 6, 12))
KEEP = np.array([[True, True], [False, True], [True, False]])  # none at all: not computed
SCREENS = ((1280, 800), (360, 740))


def _videos(seed: int, channels: int = 3) -> np.ndarray:
    """Smooth videos (K, T, C, H, W), other colours for every seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:H, :W] / 16
    phase, speed, tilt = rng.uniform(0, 6, (3, K, 1, channels, 1, 1))
    t = np.arange(T).reshape(1, T, 1, 1, 1)
    return 0.5 + 0.4 * np.sin(phase + 0.1 * speed * t + 3 * x + tilt * y)


def _sections(subsets: np.ndarray) -> list[Section]:
    figure = Figure(figsize=(12, 4))  # scrolls in its frame where the screen is narrow
    figure.subplots().plot([0, 1])
    long = pd.DataFrame({f"a rather long name {i}": np.arange(300) * i for i in range(20)})
    scores = pd.DataFrame(
        [{"subset": i, "metric": "cue_<b>r", "value": 0.1234 + i} for i in range(len(KEEP))]
    )
    times = {"conditions": NAMES, "segments": SEGMENTS, "frame_s": 0.1}
    rows = {"true": _videos(9), "grey </script>": _videos(8, 1)}
    return [
        Section(
            "Fig 2: reconstruction </script>",
            ["A paragraph. " * 30],
            {"Long": long},
            [Picture(figure, "A line.", Statistics("300 rows", "none", "none"))],
            headlines=[Headline("A sentence of some length. " * 4, "warning", "0.62 on noise")] * 3,
            films=[Films(rows, caption="Films", **times)],
            not_applicable=[NotApplicable("Colour", "grey frames")],
        ),
        Section(
            "Fig 3: masking",
            panel=RegionPanel(
                REGIONS, KEEP, enumerate(subsets), _videos(9), scores=scores, **times
            ),
        ),
    ]


@pytest.fixture(scope="module")
def subsets() -> np.ndarray:
    return np.stack([_videos(seed) for seed in range(len(KEEP))])


@pytest.fixture(scope="module")
def page(tmp_path_factory, subsets) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    headlines = [Headline("Good news.", "good", "0.93"), Headline("A note.")]
    return write_page(path, _sections(subsets), title="<i>A report</i>", headlines=headlines)


@pytest.fixture(scope="module")
def browser():
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs chromium and chromedriver on PATH")
    options = webdriver.ChromeOptions()
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "disable-background-networking",
    ):
        options.add_argument(f"--{argument}")
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(driver)
    with webdriver.Chrome(options=options, service=service) as started:
        yield started


@pytest.fixture
def opened(browser, page):
    """The page at its first screen, films loaded, logs empty before."""
    for log in ("browser", "performance"):
        browser.get_log(log)
    _resize(browser, *SCREENS[0])
    browser.get(page.as_uri())
    _wait(browser)
    return browser


def _resize(browser, width: int, height: int) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _find(browser, selector: str):
    return browser.find_elements("css selector", selector)


def _wait(browser) -> None:
    until = time.monotonic() + 10
    while _find(browser, '.player[aria-busy="true"]'):
        assert time.monotonic() < until, "films did not load"
        time.sleep(0.01)


def _pixels(browser, player: int, screen: int) -> np.ndarray:
    """What a canvas shows, (C, H, W)."""
    data = browser.execute_script(
        "const c = document.querySelectorAll('.player')[arguments[0]]"
        ".querySelectorAll('canvas')[arguments[1]];"
        "return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)",
        player,
        screen,
    )
    return np.reshape(data, (H, W, 4)).transpose(2, 0, 1)


def _near(shown: np.ndarray, expected: np.ndarray) -> None:
    """The code of many subsets is not exact: half a grey level on average, a few at most."""
    error = np.abs(shown - expected)
    assert error.mean() < 1
    assert error.max() < 6


def _scrub(browser, player: int, frame: int) -> None:
    browser.execute_script(
        "const s = document.querySelectorAll('.scrub')[arguments[0]]; s.value = arguments[1];"
        "s.dispatchEvent(new Event('input'))",
        player,
        frame,
    )


def _choose(browser, player: int, condition: int) -> None:
    browser.execute_script(
        "const s = document.querySelectorAll('.condition')[arguments[0]];"
        "s.value = arguments[1]; s.dispatchEvent(new Event('change'))",
        player,
        condition,
    )
    _wait(browser)


def test_page_opens_without_complaint_request_or_foreign_script(opened, page):
    assert opened.get_log("browser") == []
    sent = [e["message"] for e in opened.get_log("performance")]
    asked = [m for m in sent if '"Network.requestWillBeSent"' in m and '"url":"data:' not in m]
    assert len(asked) == 1  # the page itself
    assert page.as_uri() in asked[0]
    assert opened.execute_script("return window.hacked") is None
    regions = [b.get_attribute("textContent") for b in _find(opened, ".region")]
    assert regions == REGIONS
    options = _find(opened, ".player")[0].find_elements("css selector", "option")
    assert [o.get_attribute("textContent") for o in options[:K]] == NAMES
    assert _find(opened, "h1")[0].text == "<i>A report</i>"
    assert "cue <b>r" in _find(opened, ".scores")[0].text
    assert not any(e.is_displayed() for e in _find(opened, ".trouble"))


def test_policy_forbids_requests_and_other_scripts(opened):
    found = opened.execute_async_script(
        """const done = arguments[0], seen = new Set();
        document.addEventListener('securitypolicyviolation', (e) => {
          seen.add(e.effectiveDirective);
          if (seen.size === 2) done([...seen].sort());
        });
        new Image().src = 'http://127.0.0.1:9/x.png';
        const added = document.createElement('script');
        added.textContent = 'window.hacked = 2';
        document.body.append(added);"""
    )
    assert found == ["img-src", "script-src-elem"]
    assert opened.execute_script("return window.hacked") is None


def test_switching_regions_shows_the_subset_and_its_scores(opened, subsets):
    buttons = _find(opened, ".region")
    _choose(opened, 1, 2)
    for frame in (0, 5, 11):
        _scrub(opened, 1, frame)
        np.testing.assert_allclose(_pixels(opened, 1, 0)[:3], 255 * _videos(9)[2, frame], atol=0.51)
        for screen in (1, 2):
            shown = _pixels(opened, 1, screen)
            _near(shown[:3], 255 * subsets[0, 2, frame])
            assert (shown[3] == 255).all()
    buttons[0].click()  # the first region off: row 1 of the masks
    _wait(opened)
    assert buttons[0].get_attribute("aria-pressed") == "false"
    _near(_pixels(opened, 1, 2)[:3], 255 * subsets[1, 2, 11])
    _near(_pixels(opened, 1, 1)[:3], 255 * subsets[0, 2, 11])
    cells = [c.text for c in _find(opened, ".scores td")]
    assert cells == ["1.123", "0.1234"]
    buttons[1].send_keys(" ")  # by keyboard; both off was not computed
    _wait(opened)
    assert "not computed" in _find(opened, ".subset")[0].text
    assert _find(opened, ".missing:not([hidden])")[0].is_displayed()
    assert not _pixels(opened, 1, 2).any()
    assert [c.text for c in _find(opened, ".scores td")] == ["not computed", "0.1234"]
    _find(opened, ".all")[0].click()
    _wait(opened)
    _near(_pixels(opened, 1, 2)[:3], 255 * subsets[0, 2, 11])
    assert not _find(opened, ".missing:not([hidden])")


def test_film_scrubs_and_plays(opened):
    clock, play = _find(opened, ".clock")[0], _find(opened, ".play")[0]
    for frame, words in ((0, "0.00 s, fixation"), (4, "0.40 s, cue <i>"), (9, "0.90 s, stimulus")):
        _scrub(opened, 0, frame)
        assert clock.text == words
        for screen, video in enumerate((_videos(9), _videos(8, 1))):
            expected = np.broadcast_to(255 * video[0, frame], (3, H, W))
            np.testing.assert_allclose(_pixels(opened, 0, screen)[:3], expected, atol=0.51)
    _scrub(opened, 0, 0)
    play.click()
    assert play.text == "Pause"
    time.sleep(0.35)
    play.click()
    assert play.text == "Play"
    frame = int(_find(opened, ".scrub")[0].get_property("value"))
    assert 2 <= frame <= 9
    assert clock.text.startswith(f"{0.1 * frame:.2f} s")
    expected = 255 * _videos(9)[0, frame]
    np.testing.assert_allclose(_pixels(opened, 0, 0)[:3], expected, atol=0.51)


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_page_fits_the_screen_and_nothing_overlaps(opened, width, height):
    _resize(opened, width, height)
    wide, inner = opened.execute_script(
        "return [document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert inner == width
    assert wide <= width
    for selector in ("main h1, main h2, main figure, .headline, .unanswered", ".player > *"):
        boxes = opened.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(e => {"
            "const b = e.getBoundingClientRect();"
            "return [b.left, b.top, b.right, b.bottom, e.className || e.tagName]})"
            ".filter(b => b[2] > b[0] && b[3] > b[1])",
            selector,
        )
        assert len(boxes) >= 8
        for a, b in itertools.combinations(boxes, 2):
            apart = a[2] <= b[0] + 1 or b[2] <= a[0] + 1 or a[3] <= b[1] + 1 or b[3] <= a[1] + 1
            assert apart, f"{a} over {b}"
            assert a[0] >= 0
            assert a[2] <= width
    head, body = opened.execute_script(
        "const s = document.querySelector('.scroll'); s.scrollTop = 2000;"
        "return [s.querySelector('th').getBoundingClientRect().top -"
        " s.getBoundingClientRect().top, s.scrollTop]"
    )
    assert body > 1000  # rows scroll
    assert abs(head) < 3  # under a header that stays


def test_everything_can_be_reached_and_named(opened):
    unnamed = opened.execute_script(
        "return [...document.querySelectorAll('button, select, input, canvas')].filter(e =>"
        "!(e.textContent.trim() || e.getAttribute('aria-label') || e.closest('label')))"
        ".map(e => e.outerHTML)"
    )
    assert unnamed == []
    assert all(i.get_attribute("alt") for i in _find(opened, "img"))


@pytest.mark.slow
def test_all_subsets_of_six_regions_fit_in_25_megabytes(browser, tmp_path):
    """64 subsets of 64 conditions, 45 frames of 32 x 32 in colour, with smooth noise on top."""
    keep = np.array(list(itertools.product([False, True], repeat=6)))
    y, x = np.mgrid[:32, :32] - 15.5
    disc = np.clip(11 - np.hypot(x, y), 0, 1)
    colours = np.random.default_rng(1).uniform(0.2, 0.9, (64, 1, 3, 1, 1))
    onset = np.minimum(np.arange(45) / 15, 1).reshape(1, 45, 1, 1, 1)
    angle = np.arange(64).reshape(64, 1, 1, 1, 1)
    true = colours * disc * (0.6 + 0.4 * onset * np.cos(np.arctan2(y, x) - angle))

    def reconstructed():
        for i, kept in enumerate(keep):
            rng = np.random.default_rng([2, i])
            noise = rng.normal(0, 0.04, (64, 45, 3, 8, 8)).repeat(4, axis=3).repeat(4, axis=4)
            yield i, true * kept.mean() + noise + 0.08

    times = {"segments": SEGMENTS, "frame_s": 0.1, "conditions": [f"c{k}" for k in range(64)]}
    panel = RegionPanel(
        ["PFC", "FEF", "LIP", "MT", "IT", "V4"], keep, reconstructed(), true, **times
    )
    path = write_page(tmp_path / "r.html", [Section("S", panel=panel)], title="T")
    assert path.stat().st_size < 25e6
    _resize(browser, *SCREENS[0])
    browser.get(path.as_uri())
    _wait(browser)
    assert not _find(browser, ".trouble:not([hidden])")
