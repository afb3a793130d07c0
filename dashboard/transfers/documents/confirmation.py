"""The confirmation of a transfer on paper: a PDF that its client may show to anybody. Imported where used: the library
takes time. The same facts always give the same bytes.

The font (Roboto) is embedded: Latin with all its accents, Greek and Cyrillic.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import font_roboto
from fpdf import FPDF
from fpdf.fonts import TTFFont

from dashboard.ledger.numbers import in_groups
from dashboard.money import Money

# millimetres
_MARGIN = 18.0
_FOOT = 16.0
_LABEL = 46.0
_LINE = 5.4

_INK = (27, 36, 48)
_QUIET = (86, 96, 112)
_HAIRLINE = (218, 216, 208)
#: stands for the number of pages until it is known; private characters, so that no text can hold it
_PAGES = "\ue000\ue001\ue002"

logging.getLogger("fpdf").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Party:
    """Who pays or is paid, as it was told. An account that is an IBAN is shown in groups of four."""

    name: str | None
    account: str | None
    bic: str | None = None


@dataclass(frozen=True)
class Exchange:
    """`rate`: bought units for one sold. The margin is part of what is sold."""

    sold: Money
    bought: Money
    rate: Decimal
    rate_source: str
    rate_as_of: datetime
    margin: Money


@dataclass(frozen=True)
class Confirmation:
    """Everything that stands on the paper. `fee` is paid on top of `amount`; None where there is none."""

    institution: str
    zone: ZoneInfo
    transfer_id: str
    kind: str
    status: str
    payer: Party
    payee: Party
    amount: Money
    fee: Money | None
    ordered_at: datetime
    completed_at: datetime
    booking_date: date | None
    value_date: date | None
    generated_at: datetime
    remittance: str | None = None
    references: Sequence[tuple[str, str]] = field(default=())
    exchange: Exchange | None = None


def _printable(text: str) -> str:
    """Composed letters; what has no picture of its own becomes a blank or nothing."""
    composed = unicodedata.normalize("NFC", text.expandtabs(1).replace("\r\n", "\n"))
    shown = []
    for letter in composed:
        category = unicodedata.category(letter)
        if category in {"Cc", "Co", "Cs", "Zl", "Zp"}:
            shown.append(" ")
        elif category != "Cf":
            shown.append(letter)
    return "".join(shown)


def _account(number: str) -> str:
    return in_groups(number) if number[:2].isalpha() and number.isalnum() and len(number) >= 15 else number


def _day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


class _Paper(FPDF):
    def __init__(self, said: Confirmation) -> None:
        super().__init__(format="A4")
        self.said = said
        self._foot = _printable(f"{said.institution} · Transfer confirmation · made {self.moment(said.generated_at)}")
        self.add_font("Roboto", "", font_roboto.Roboto)
        self.add_font("Roboto", "B", font_roboto.RobotoBold)
        self.set_title("Transfer confirmation")
        self.set_author(said.institution)
        self.set_lang("en")
        self.set_creation_date(said.generated_at.astimezone(UTC))
        self.set_margin(_MARGIN)
        self.c_margin = 0
        self.set_auto_page_break(True, _FOOT + 4)
        self.alias_nb_pages(_PAGES)
        self.set_font("Roboto", size=10)

    def moment(self, at: datetime) -> str:
        """As people of the institution read it, with the zone: the paper leaves the house."""
        local = at.astimezone(self.said.zone)
        return f"{_day(local)} {local:%H:%M:%S} {local:%Z}"

    def footer(self) -> None:
        self.set_y(-_FOOT + 4)
        self.set_font("Roboto", size=7.5)
        self.set_text_color(*_QUIET)
        self.cell(self.epw * 0.8, 4, self._foot)
        self.cell(self.epw * 0.2, 4, f"Page {self.page_no()} of {_PAGES}", align="R")

    def close_fonts(self) -> None:
        """The library keeps their files open."""
        for font in self.fonts.values():
            if isinstance(font, TTFFont):
                font.ttfont.close()

    def heading(self, text: str) -> None:
        """A part begins, with a hairline over it."""
        self.ln(3)
        self.set_draw_color(*_HAIRLINE)
        self.line(_MARGIN, self.get_y(), self.w - _MARGIN, self.get_y())
        self.ln(3)
        self.set_font("Roboto", "B", 10.5)
        self.set_text_color(*_INK)
        self.cell(0, _LINE, text, new_x="LMARGIN", new_y="NEXT")
        self.ln(0.8)

    def fact(self, label: str, value: str | None, *, bold: bool = False) -> None:
        """A label and what stands beside it, on as many lines as it takes."""
        if not value:
            return
        if self.get_y() + _LINE > self.page_break_trigger:
            self.add_page()
        top = self.get_y()
        self.set_font("Roboto", "", 9.5)
        self.set_text_color(*_QUIET)
        self.cell(_LABEL, _LINE, label)
        self.set_xy(_MARGIN + _LABEL, top)
        self.set_left_margin(_MARGIN + _LABEL)
        self.set_font("Roboto", "B" if bold else "", 9.5)
        self.set_text_color(*_INK)
        self.multi_cell(0, _LINE, _printable(value), new_x="LMARGIN", new_y="NEXT", align="L")
        self.set_left_margin(_MARGIN)
        self.set_x(_MARGIN)

    def party(self, title: str, party: Party) -> None:
        self.heading(title)
        self.fact("Name", party.name or "not told")
        self.fact("Account", _account(party.account) if party.account else "not told")
        self.fact("BIC", party.bic)


def paper(said: Confirmation) -> bytes:
    """The PDF."""
    page = _Paper(said)
    try:
        page.add_page()
        _draw(page, said)
        return bytes(page.output())
    finally:
        page.close_fonts()


def _draw(page: _Paper, said: Confirmation) -> None:
    page.set_font("Roboto", "", 10)
    page.set_text_color(*_QUIET)
    page.multi_cell(0, _LINE, _printable(said.institution), new_x="LMARGIN", new_y="NEXT", align="L")
    page.set_font("Roboto", "B", 18)
    page.set_text_color(*_INK)
    page.cell(0, 10, "Transfer confirmation", new_x="LMARGIN", new_y="NEXT")
    page.fact("Transfer", f"{said.kind}, {said.status}")
    page.party("From", said.payer)
    page.party("To", said.payee)
    page.heading("Amount")
    if said.exchange is not None:
        _exchange(page, said.exchange)
    else:
        page.fact("Amount", str(said.amount), bold=True)
        if said.fee is not None:
            page.fact("Fee", str(said.fee))
            page.fact("Together", str(said.amount + said.fee))
    page.heading("Dates")
    page.fact("Ordered" if said.kind != "Incoming" else "Received", page.moment(said.ordered_at))
    page.fact("Completed", page.moment(said.completed_at))
    page.fact("Booking date", _day(said.booking_date) if said.booking_date else None)
    page.fact("Value date", _day(said.value_date) if said.value_date else None)
    page.heading("References")
    page.fact("Remittance information", said.remittance)
    for label, value in said.references:
        page.fact(label, value)
    page.fact("Transfer number", said.transfer_id)


def _exchange(page: _Paper, exchange: Exchange) -> None:
    page.fact("Sold", str(exchange.sold), bold=True)
    page.fact("Bought", str(exchange.bought), bold=True)
    pair = f"1 {exchange.sold.currency.upper()} = {exchange.rate.normalize():f} {exchange.bought.currency.upper()}"
    page.fact("Rate", pair)
    source = "European Central Bank" if exchange.rate_source == "ecb" else exchange.rate_source
    page.fact("Rate of", f"{source}, {page.moment(exchange.rate_as_of)}")
    page.fact("Margin, within what is sold", str(exchange.margin))
