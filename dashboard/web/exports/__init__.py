"""Export exactly what one sees: one description of a list, written as CSV, XLSX or PDF.

A view parses its filter, then answers with the same rows as the page, without its page size:

    listing = Listing(about("Accounts", filters=[("Currency", "EUR")], by=actor.name), COLUMNS)
    return answer(listing, lambda: queries.all_accounts(wanted), Format.named(form))

The rows come from a function because CSV streams: it is called after the view has returned, and its query belongs
to the database session of the stream. It gives mappings, by preference from a server-side cursor
(`session().execute(query.execution_options(yield_per=1000)).mappings()`), and touches no object loaded by the view.
"""

from __future__ import annotations

from dashboard.web.exports.answers import Described, Format, about, answer, describing, handed_out, learn_offer
from dashboard.web.exports.listing import About, Column, Kind, Listing, Row, Rows, TooManyRows, parts

__all__ = [
    "About", "Column", "Described", "Format", "Kind", "Listing", "Row", "Rows", "TooManyRows", "about", "answer",
    "describing", "handed_out", "learn_offer", "parts",
]  # fmt: skip
