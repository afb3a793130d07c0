"""axe in a page that is open: which rules it breaks, and where.

Most of its time goes into contrasts of colours, which are alike on all pages. A text of the same colour, size and
weight on the same ground as one that was found legible is taken for legible, here and on all pages after it.
"""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page

#: of what is in order nothing is written down, nor carried out of the page
VIOLATIONS: dict[str, Any] = {"resultTypes": ["violations"]}
#: what a theme changes is colours
COLOURS: dict[str, Any] = {**VIOLATIONS, "runOnly": {"type": "rule", "values": ["color-contrast"]}}

_AXE = AXE_FILE_PATH.read_text("utf-8")
#: what lies over something else without a ground of its own is looked at anew each time
_REMEMBERING = """(legible) => {
  const known = new Set(legible), check = axe._audit.checks['color-contrast'], evaluate = check.evaluate;
  const looks = (element) => {
    const own = getComputedStyle(element);
    const said = [own.color, own.fontSize, own.fontWeight, own.textShadow];
    let covered = false;
    for (let at = element; at; at = at.parentElement) {
      const {backgroundColor: ground, backgroundImage: image, opacity, filter, position} = getComputedStyle(at);
      if (opacity !== '1' || filter !== 'none') said.push(opacity, filter);
      if (covered) continue;
      if (image !== 'none') return null;
      if (ground !== 'rgba(0, 0, 0, 0)') said.push(ground);
      covered = ground.startsWith('rgb(');
      if (!covered && !['static', 'relative'].includes(position)) return null;
    }
    return said.join(' ');
  };
  window.foundLegible = [];
  check.evaluate = function (element, ...others) {
    const key = looks(element);
    if (key !== null && known.has(key)) return true;
    const answer = evaluate.call(this, element, ...others);
    if (answer === true && key !== null) {
      known.add(key);
      window.foundLegible.push(key);
    }
    return answer;
  };
}"""
_RUN = """async (options) => {
  const {violations} = await axe.run(document, options);
  const places = ({nodes}) => nodes.slice(0, 3).map((node) => node.html.slice(0, 160));
  return [violations.map((broken) => [broken.id, places(broken)]), window.foundLegible.splice(0)];
}"""
_legible: set[str] = set()


def broken_rules(page: Page, options: dict[str, Any] = VIOLATIONS) -> list[Any]:
    """Rules that the page breaks, each with the first places where it does."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE)
        page.evaluate(_REMEMBERING, sorted(_legible))
    found, legible = page.evaluate(_RUN, options)
    _legible.update(legible)
    return list(found)
