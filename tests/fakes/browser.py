"""A real browser for tests of pages: headless Chromium that opens a file from disk, without a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_BROWSER = "chromium is not on PATH, so no browser can open the page"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
"""Tags of the rules of WCAG 2.2, levels A and AA, in axe."""
HARMLESS = 'WARN Dropping "fit-y" because spec has discrete height'
"""A remark of Vega-Lite on every chart as wide as its element with a row for each level."""
PATIENCE_MS = 60_000
"""Longest wait for a page to reach a state on a loaded machine; a test that passes never waits so long."""


@dataclass
class Tab:
    """A page in the browser, with everything that its console said and all that it asked for.

    Attributes:
        page: of playwright, for everything else.
        requests: addresses, without that of the page itself.
    """

    page: Any
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def hear(self, text: str) -> None:
        """Note a line of the console."""
        if not text.startswith(HARMLESS):
            self.console.append(text)

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression; `stepmark` in it is `page` of our scripts."""
        return self.page.evaluate(expression)

    def restyled(self, change: str) -> int:
        """Elements whose style the browser computes until two frames after a change of the document."""
        driven = self.page.context.browser
        driven.start_tracing(page=self.page, categories=["devtools.timeline"])
        self.page.evaluate(f"() => {{ {change}; }}")
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        events = json.loads(driven.stop_tracing())["traceEvents"]
        return sum(one["args"].get("elementCount", 0) for one in events if one["name"] == "UpdateLayoutTree")

    def wait(self, selector: str) -> None:
        """Wait until an element is visible. The page's policy refuses to wait for an expression."""
        self.page.locator(selector).first.wait_for(timeout=PATIENCE_MS)

    def shown_ids(self) -> list[str]:
        """Ids of the rows of the ranked table that are not hidden, in their order."""
        found: list[str] = self.value(
            """[...document.querySelectorAll("#ranked tbody:not([hidden]) tr:not([hidden])")]
            .map((row) => (row.cells[1].querySelector("summary") ?? row.cells[1]).textContent)"""
        )
        return found

    def violations(self) -> list[str]:
        """Violations of WCAG 2.2 A and AA that axe finds, one text for each rule."""
        from axe_playwright_python.sync_playwright import Axe

        self.value("scrollTo({ top: 0, behavior: 'instant' })")  # a bar that stays in view covers nothing there
        found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": WCAG}}).response["violations"]
        return [f"{one['id']}: {one['nodes'][0]['html']} ({len(one['nodes'])} elements)" for one in found]


class Browser:
    """A browser that runs."""

    def __init__(self, driven: Any) -> None:
        self.driven = driven

    @contextmanager
    def open(
        self, file: Path, fragment: str = "", *, width: int = 1280, height: int = 900, **settings: Any
    ) -> Iterator[Tab]:
        """Open a file in a fresh profile.

        Args:
            file: the page.
            fragment: the hash, with its `#`.
            width: of the window, in pixels.
            height: of the window, in pixels.
            settings: of playwright's `new_context`, such as `color_scheme="dark"` or `java_script_enabled=False`.
        """
        context = self.driven.new_context(viewport={"width": width, "height": height}, offline=True, **settings)
        try:
            tab = Tab(context.new_page())
            tab.page.on("console", lambda message: tab.hear(message.text))
            tab.page.on("pageerror", lambda error: tab.console.append(str(error)))
            tab.page.goto(f"{file.resolve().as_uri()}{fragment}", timeout=PATIENCE_MS)
            tab.page.on("request", lambda request: tab.requests.append(request.url))
            yield tab
        finally:
            context.close()


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser, and end it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        driven = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield Browser(driven)
        finally:
            driven.close()
