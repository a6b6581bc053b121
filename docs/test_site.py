"""The built site in a browser: every page at the widths of a desktop and of a phone.

`make docs` runs this on docs/_build/html, and keeps a picture of each page in
docs/_build/screenshots.  It needs Chromium: apt-get install chromium.
"""

import shutil
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import check_api
import pytest
from playwright.sync_api import sync_playwright

BUILD = Path(__file__).parent / "_build"
SITE = BUILD / "html"
FOUND = (path.relative_to(SITE).as_posix() for path in sorted(SITE.rglob("*.html")))
PAGES = [page for page in FOUND if not page.startswith("_static/")]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


class Handler(SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture(scope="module")
def server():
    """Address of the site."""
    handler = partial(Handler, directory=SITE)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def tabs(browser):
    """A tab of each size, in the colours of day."""
    opened = {}
    for name, (width, height) in SIZES.items():
        size = {"width": width, "height": height}
        opened[name] = browser.new_page(viewport=size, color_scheme="light")
        opened[name].problems = []
        watch(opened[name])
    return opened


def watch(tab):
    """Collect what goes wrong in a tab, and what it asks another host for."""

    def request(asked):
        address = urlsplit(asked.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            tab.problems.append(f"asks another host: {asked.url}")

    def response(answer):
        if answer.status >= 400:
            tab.problems.append(f"{answer.status}: {answer.url}")

    def console(message):
        if message.type == "error":
            tab.problems.append(f"console: {message.text}")

    tab.on("request", request)
    tab.on("response", response)
    tab.on("console", console)
    tab.on("pageerror", lambda error: tab.problems.append(f"script: {error}"))
    tab.on("requestfailed", lambda failed: tab.problems.append(f"not loaded: {failed.url}"))


BROKEN_IMAGES = "() => [...document.images].filter(i => !i.naturalWidth).map(i => i.src)"
TOO_WIDE = "() => document.scrollingElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("size", SIZES)
def test_page(size, page, server, tabs):
    tab = tabs[size]
    tab.problems.clear()
    tab.goto(server + page, wait_until="load")
    # Pictures further down would be loaded when they come into view.
    tab.evaluate("() => { for (const image of document.images) image.loading = 'eager'; }")
    tab.wait_for_load_state("networkidle")
    picture = (BUILD / "screenshots" / size / page).with_suffix(".png")
    tab.screenshot(path=picture, full_page=True)
    assert not tab.problems
    assert not tab.evaluate(BROKEN_IMAGES)
    assert tab.evaluate(TOO_WIDE) <= 0, "the page moves sideways"
    title = tab.locator("h1").first
    assert title.is_visible() and title.bounding_box()["width"] > 50


def test_search_finds_a_class(server, tabs):
    tab = tabs["desktop"]
    tab.goto(server + "search.html?q=KroneckerData")
    tab.wait_for_selector("ul.search li a", timeout=30_000)
    assert any("KroneckerData" in text for text in tab.locator("ul.search li").all_inner_texts())


class Links(HTMLParser):
    """Targets and anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.anchors = [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Note one element."""
        values = dict(attributes)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        self.targets += [values[key] for key in ("href", "src") if values.get(key)]


@pytest.fixture(scope="module")
def links():
    """Page -> its links."""
    return {page: Links((SITE / page).read_text()) for page in PAGES}


@pytest.mark.parametrize("page", PAGES)
def test_links(page, links):
    missing = []
    for target in links[page].targets:
        address = urlsplit(urljoin(f"http://site/{page}", target))
        if address.netloc != "site":
            if address.scheme not in ("https", "mailto", "data"):
                missing.append(target)
            continue
        path = unquote(address.path).lstrip("/") or page
        if not (SITE / path).is_file() or (path in links and unquote(address.fragment) not in links[path].anchors):
            missing.append(target)
    assert not missing


def test_every_public_name_has_its_place():
    anchors = set()
    for page in PAGES:
        if page.startswith("_generated/api/"):
            anchors |= Links((SITE / page).read_text()).anchors
    assert {name for name, _ in check_api.public_api()} <= anchors


def test_there_are_pages():
    assert {"index.html", "guide.html", "first-model.html", "c-header.html"} <= set(PAGES)
    assert sum(page.startswith("_generated/examples/") for page in PAGES) >= 6
