"""axe in a page that is open: which rules it breaks, and where."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page

SCRIPT = AXE_FILE_PATH.read_text("utf-8")
#: of what is in order nothing is written down, nor carried out of the page
VIOLATIONS: dict[str, Any] = {"resultTypes": ["violations"]}
#: what a theme changes is colours
COLOURS: dict[str, Any] = {**VIOLATIONS, "runOnly": {"type": "rule", "values": ["color-contrast"]}}
_RUN = """async (options) => (await axe.run(document, options)).violations.map(
  (broken) => [broken.id, broken.nodes.slice(0, 3).map((node) => node.html.slice(0, 160))])"""


def broken_rules(page: Page, options: dict[str, Any] = VIOLATIONS) -> list[Any]:
    """Rules that the page breaks, each with the first places where it does."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT)
    found: list[Any] = page.evaluate(_RUN, options)
    return found
