"""Lines over days as SVG that a page may hold: no script, no style, no link to anywhere. Colours come from the page's
stylesheet, so that the picture follows its theme; the figures stand in a table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from markupsafe import Markup

from dashboard.money import DECIMALS
from dashboard.treasury.positions.queries.trend import Point

#: labels on the axis of days
_MOST_LABELS = 8


def drawn(points: Sequence[Point], currency: str) -> list[tuple[str, Markup]]:
    """Pictures with their titles: both sides, what lies between them, unrecognized money, and breaks. A day without
    data is a gap."""
    code = currency.upper()
    return [
        (
            f"Requirement and resource, {code}",
            _picture(
                points, currency,
                [("Requirement", [one.requirement for one in points]), ("Resource", [one.resource for one in points])],
            ),
        ),
        (f"Excess or shortfall, {code}", _picture(points, currency, [("Excess", [one.excess for one in points])])),
        (
            f"Unrecognized, {code}",
            _picture(points, currency, [("Unrecognized", [one.unrecognized for one in points])]),
        ),
        ("Breaks", _picture(points, None, [("Breaks", [one.breaks for one in points])])),
    ]  # fmt: skip


def _picture(
    points: Sequence[Point], currency: str | None, series: Sequence[tuple[str, Sequence[int | None]]]
) -> Markup:  # fmt: skip
    """Amounts in the currency; without one, plain numbers."""
    import pygal

    chart = pygal.Line(
        js=[], css=[], no_prefix=True, disable_xml_declaration=True, explicit_size=False, width=880, height=240,
        show_dots=len(points) <= 31, dots_size=3, show_legend=len(series) > 1, legend_at_bottom=True, margin=8,
        show_minor_x_labels=False, truncate_label=12, x_labels_major_count=min(_MOST_LABELS, max(len(points), 1)),
        margin_right=44, y_labels_major_count=5, show_minor_y_labels=False,
    )  # fmt: skip
    chart.x_labels = [f"{one.day.day} {one.day:%b}" for one in points]
    places = DECIMALS[currency] if currency else 0
    chart.value_formatter = lambda value: f"{Decimal(str(value)).quantize(Decimal(1).scaleb(-places)):,}"
    if currency is None:
        most = max((value for _, values in series for value in values if value is not None), default=1)
        step = max(1, -(-most // 4))
        chart.y_labels = list(range(0, most + step, step))
    for name, values in series:
        # a picture is no book: its points may be rounded, the table beside it is exact
        chart.add(name, [None if value is None else float(Decimal(value).scaleb(-places)) for value in values])
    return Markup(cleaned(chart.render()))  # noqa: S704 - drawn here, and cleaned of all but shapes


def cleaned(drawing: bytes) -> str:
    """The drawing without styles, scripts, comments and whatever says how it looks or leads elsewhere."""
    from lxml import etree

    root = etree.fromstring(drawing, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    for element in list(root.iter()):
        if not isinstance(element.tag, str) or etree.QName(element).localname in {"style", "script", "desc"}:
            parent = element.getparent()
            if parent is not None:
                _take_out(parent, element)
            continue
        for name in list(element.attrib):
            local = etree.QName(name).localname
            if local in {"style", "href"} or local.startswith("on"):
                del element.attrib[name]
    root.set("role", "img")
    root.set("focusable", "false")
    return etree.tostring(root, encoding="unicode")


def _take_out(parent, element) -> None:  # type: ignore[no-untyped-def]
    """Without the text that follows it being lost."""
    if element.tail:
        before = element.getprevious()
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)
