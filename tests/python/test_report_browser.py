"""The page of `maest report` in a browser: it loads alone, and what people do with it works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from browser import Browser
from essentia_maest.commands.cli import main
from report_results import BROKEN, HOSTILE, write_results, write_sound

pytestmark = pytest.mark.slow

NAMES = [HOSTILE, BROKEN, *(f"{'abc'[row % 3]}/{row} #1 50%?.wav" for row in range(2, 60))]
GONE = 5
PATH = "document.querySelector('#track h2')?.textContent"
FOUND = "[...document.querySelectorAll('#found .name')].map((one) => one.textContent)"


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Make a page, beside the music that it is about."""
    folder = tmp_path_factory.mktemp("report")
    for row, name in enumerate(NAMES):
        if row != GONE:
            write_sound(folder / "music" / name)
    write_results(folder / "results", folder / "music", NAMES)
    page = folder / "page #1.html"
    assert main(["report", str(folder / "results"), "-o", str(page), "--title", HOSTILE]) == 0
    return page


@pytest.fixture(scope="module")
def one_browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def browser(one_browser, page):
    """Open the page, and see in the end that nothing was fetched or complained of."""
    one_browser.open(page.as_uri())
    one_browser.wait("document.body?.dataset.ready")
    yield one_browser
    one_browser.run("1")
    assert one_browser.problems == []
    outside = [url for url in one_browser.requests if not url.startswith(("file:", "data:"))]
    assert outside == []


def look_for(browser: Browser, text: str) -> list[str]:
    browser.run("document.getElementById('search').focus()")
    browser.run("document.getElementById('search').select()")
    browser.call("Input.insertText", text=text)
    browser.wait(f"document.getElementById('found').dataset.query === {json.dumps(text)}")
    return browser.run(FOUND)


def test_it_shows_the_collection_and_fetches_nothing(browser):
    assert browser.run("document.title") == HOSTILE
    assert browser.run("document.querySelector('h1').textContent") == HOSTILE
    assert browser.run("document.getElementById('summary').textContent").startswith("60 tracks")
    assert browser.run("document.querySelectorAll('img, b, i').length") == 0
    assert browser.run("document.querySelector('#map canvas').width") > 200
    assert browser.requests.count(browser.run("location.href")) == 1
    assert "polka" in browser.run("document.getElementById('legend').textContent")
    refused = "fetch('data:,x').then(() => 'fetched', () => 'refused')"
    assert browser.run(refused) == "refused"
    browser.problems.clear()  # the refusal


def test_search_finds_paths_and_labels(browser):
    assert look_for(browser, "caf\\xe9") == [r"caf\xe9.wav"]
    assert look_for(browser, "</script>") == [HOSTILE]
    assert look_for(browser, "A/9 ") == ["a/9 #1 50%?.wav"]
    waltzes = look_for(browser, "waltz")
    assert sorted(waltzes) == sorted(NAMES[3::4])
    assert "15 tracks" in browser.run("document.getElementById('matches').textContent")
    assert look_for(browser, "nowhere at all") == []
    assert look_for(browser, "") == []
    browser.run(
        "[...document.querySelectorAll('#panel .name')].find((one) => one.textContent === 'rock')"
        ".click()"
    )
    assert browser.run("document.getElementById('search').value") == "label:Genre---rock"
    assert len(browser.run(FOUND)) == 15


def test_the_map_tells_and_opens_tracks(browser):
    point = browser.run(POINT)
    browser.mouse("moved", *point)
    browser.wait("!document.getElementById('tip').hidden")
    told = browser.run("document.querySelector('#tip strong').textContent")
    assert told in [name if name != BROKEN else r"caf\xe9.wav" for name in NAMES]
    browser.click(*point)
    assert browser.wait(PATH) == told
    browser.mouse("moved", *browser.run(CORNER))
    browser.wait("document.getElementById('tip').hidden")


def test_the_map_moves_by_mouse_and_keys(browser):
    browser.run("document.getElementById('map').focus()")
    for key in ("ArrowLeft", "+", "ArrowUp", "-", "0"):
        picture = browser.run(PICTURE)
        browser.key(key)
        browser.wait(f"{PICTURE}.then((now) => now !== '{picture}')")
    x, y = browser.run(MIDDLE)
    picture = browser.run(PICTURE)
    browser.mouse("moved", x, y)
    browser.mouse("pressed", x, y, button="left", buttons=1, clickCount=1)
    for step in (10, 40, 80):
        browser.mouse("moved", x + step, y + step, button="left", buttons=1)
    browser.mouse("released", x + 80, y + 80, button="left", clickCount=1)
    browser.wait(f"{PICTURE}.then((now) => now !== '{picture}')")
    assert browser.run(PATH) is None  # a drag opens nothing
    picture = browser.run(PICTURE)
    browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300)
    browser.wait(f"{PICTURE}.then((now) => now !== '{picture}')")
    browser.key("Enter", 13)
    assert browser.wait(PATH)


def test_a_track_plays_and_tells_what_is_near(browser):
    for row in (0, 1, 2):
        name = r"caf\xe9.wav" if row == 1 else NAMES[row]
        look_for(browser, name)
        browser.run("document.querySelector('#found .name').click()")
        assert browser.run(PATH) == name
        browser.wait("document.querySelector('audio').readyState > 0")
        assert browser.run("document.querySelector('audio').duration") == pytest.approx(3, abs=0.1)
        near = browser.run(
            "[...document.querySelectorAll('#track .rows .name')].map((one) => one.textContent)"
        )
        assert len(near) == 10
        group = [NAMES.index(one) if one in NAMES else 1 for one in near]
        assert {one % 4 for one in group} == {row % 4}
    assert "two" in browser.run("document.querySelector('#track .problem').textContent")
    strips = browser.run(
        "[...document.querySelectorAll('.times')].slice(0, -1).map((one) =>"
        " [one.querySelector('.label').textContent, one.querySelectorAll('rect').length])"
    )
    assert ["wild", 6] in strips
    browser.run("document.querySelectorAll('#track .rows .name')[0].click()")
    assert browser.run(PATH) == near[0]


def test_what_cannot_be_played_is_said(browser):
    look_for(browser, NAMES[GONE])
    browser.run("document.querySelector('#found .name').click()")
    words = browser.wait("document.querySelector('.player .problem').textContent")
    assert words.startswith("This browser cannot play the file (wav / pcm): it is not there")
    browser.run("1")
    browser.problems[:] = [one for one in browser.problems if "ERR_FILE_NOT_FOUND" not in one]


def test_everything_is_reached_by_the_keyboard(browser):
    names = set()
    for _ in range(60):
        browser.key("Tab", 9)
        names.add(browser.run("document.activeElement.id || document.activeElement.className"))
    assert {"search", "colour", "whole", "map", "tab-0", "name"} <= names
    browser.run("document.getElementById('tab-0').focus()")
    browser.key("ArrowRight", 39)
    assert browser.run("document.getElementById('tab-1').getAttribute('aria-selected')") == "true"


def test_lists_of_files_are_there(browser):
    tabs = browser.run(
        "[...document.querySelectorAll('#tabs button')].map((one) => one.textContent)"
    )
    files = ["Longest", "Slowest", "Truncated (1)", "Damaged (1)", "Failed (1)"]
    assert tabs == ["Labels", "Folders", *files]
    browser.run("document.getElementById('tab-6').click()")
    assert "<script>alert(1)</script> is no audio" in browser.run(
        "document.getElementById('panel').textContent"
    )
    browser.run("document.getElementById('tab-2').click()")
    assert browser.run("document.querySelector('#panel .name').textContent") == NAMES[-1]
    browser.run("document.getElementById('tab-3').click()")
    assert browser.run("document.querySelector('#panel .name').textContent") == NAMES[2]
    assert "1:31 for 1:02" in browser.run("document.querySelector('#panel li').textContent")


def test_windows_narrow_and_wide_light_and_dark(page, tmp_path):
    with Browser(tmp_path, 1280, 800) as browser:
        for width in (1280, 360):
            size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
            browser.call("Emulation.setDeviceMetricsOverride", **size)
            browser.open(page.as_uri())
            browser.wait("document.body?.dataset.ready")
            for scheme in ("light", "dark"):
                asked = [{"name": "prefers-color-scheme", "value": scheme}]
                browser.call("Emulation.setEmulatedMedia", features=asked)
                assert browser.run("innerWidth") == width
                assert browser.run("document.documentElement.scrollWidth") <= width
                ink, ground = browser.run(
                    "[getComputedStyle(document.body).color, getComputedStyle(document.body)"
                    ".backgroundColor].map((one) => Number(one.match(/\\d+/)[0]))"
                )
                assert (ink > ground + 100) == (scheme == "dark")


def test_without_webgl_all_but_the_map_works(page, tmp_path):
    with Browser(tmp_path, 1280, 900, "--disable-3d-apis") as browser:
        browser.open(page.as_uri())
        browser.wait("document.body?.dataset.ready")
        assert "no WebGL" in browser.run("document.getElementById('notice').textContent")
        assert len(look_for(browser, "jazz")) == 15


def test_a_page_that_was_moved_finds_the_music(page, tmp_path):
    moved = tmp_path / "elsewhere" / "page.html"
    moved.parent.mkdir()
    moved.write_bytes(page.read_bytes())
    with Browser(tmp_path / "browser") as browser:
        browser.open(moved.as_uri())
        browser.wait("document.body?.dataset.ready")
        look_for(browser, NAMES[2])
        browser.run("document.querySelector('#found .name').click()")
        browser.wait("document.querySelector('audio').readyState > 0")


# The map as it is drawn: a promise, as are the others.
_AFTER_FRAMES = (
    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => "
)
PICTURE = _AFTER_FRAMES + "document.querySelector('#map canvas').toDataURL())"
MIDDLE = """(() => {
  const box = document.getElementById('map').getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()"""
# A place of the map where nothing is: the map is wider than high, and has a margin.
CORNER = """(() => {
  const box = document.getElementById('map').getBoundingClientRect();
  return [box.x + 2, box.y + 2];
})()"""
# A place of the map where a point is drawn.
POINT = (
    _AFTER_FRAMES
    + """{
  const canvas = document.querySelector('#map canvas'), box = canvas.getBoundingClientRect();
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const picture = copy.getContext('2d');
  picture.drawImage(canvas, 0, 0);
  const { data } = picture.getImageData(0, 0, copy.width, copy.height);
  for (let i = 0; i < data.length; i += 4) {
    const [x, y] = [(i / 4) % copy.width, Math.floor(i / 4 / copy.width) + 3];
    if (data[i + 3] > 150 && data[4 * (y * copy.width + x) + 3] > 150)
      return [box.x + (x * box.width) / copy.width, box.y + (y * box.height) / copy.height];
  }
  return null;
})"""
)
