"""What is remembered of texts that were found legible hides none that is not."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser

from tests.browser.axe import COLOURS, broken_rules

PAGE = """<!doctype html><html lang="en"><title>A page</title><style>
 body {{ background: {ground}; color: {ink}; }} .box {{ background: {box}; }} .over {{ position: absolute; left: 5px; }}
</style><main><h1>Words</h1><p>Some words</p><div class="box"><p>{more}</p></div></main>"""


def shown(page: Any, *, ground: str = "#ffffff", ink: str = "#222222", box: str = "#eeeeee", more: str = "More") -> Any:
    page.goto("about:blank")
    page.set_content(PAGE.format(ground=ground, ink=ink, box=box, more=more))
    return [(rule, len(places)) for rule, places in broken_rules(page, COLOURS)]


def test_a_text_is_looked_at_again_when_its_colours_its_grounds_or_its_size_are_others(chromium: Browser) -> None:
    page = chromium.new_page()
    assert shown(page) == [] and shown(page) == []
    faint = [("color-contrast", 3)]
    assert shown(page, ink="#cccccc") == faint and shown(page, ink="#cccccc") == faint
    assert shown(page, ground="#333333", box="#333333") == faint
    # the ground of one text alone, of two texts alone
    assert shown(page, box="#444444") == [("color-contrast", 1)]
    assert shown(page, ground="#333333") == [("color-contrast", 2)]
    # legible for what is large, and not for what is small
    grey = {"ink": "#888888", "box": "#ffffff"}
    assert shown(page, **grey, more='<span style="font-size: 30px">More</span>') == [("color-contrast", 1)]
    assert shown(page, more='<span style="opacity: .3">More</span>') == [("color-contrast", 1)]
    # both are in one page: the second is looked at although the first was found legible there
    assert shown(page, more='Fine <b style="color: #ddd; font-weight: 400">not fine</b>') == [("color-contrast", 1)]
    page.close()
