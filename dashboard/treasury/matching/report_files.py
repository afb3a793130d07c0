"""The reconciliation report as a document of JSON, as a workbook and as a PDF."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.money import Money
from dashboard.treasury.matching.queries.report import Report
from dashboard.treasury.matching.vocabulary import (
    BREAK_LABELS,
    CAUSE_LABELS,
    RESOLUTION_LABELS,
    STATE_LABELS,
    BreakKind,
    BreakState,
    Cause,
    Resolution,
)
from dashboard.web.exports import About, Column, Kind, Listing
from dashboard.web.exports.reproducible import workbook
from dashboard.web.json import iso_utc

TITLE = "Reconciliation report"
COLUMNS = (
    Column("since", "Since", Kind.DATE),
    Column("kind", "Break", share=0.8),
    Column("difference", "Bank − ledger", Kind.AMOUNT),
    Column("state", "State", share=0.8),
    Column("cause", "Likely cause", share=0.8),
    Column("side", "Row", share=0.5),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("booked", "Booked", Kind.DATE),
    Column("reference", "Reference"),
    Column("party", "Party"),
)
#: before anything is in a report it has no moment of its own
_NEVER = datetime(1980, 1, 1, tzinfo=UTC)


def state_of(state: str, resolution: str | None) -> str:
    """Open, Acknowledged, Matched, Booked, Accepted …"""
    return RESOLUTION_LABELS[Resolution(resolution)] if resolution else STATE_LABELS[BreakState(state)]


def _said(minor: int | None, currency: str) -> str:
    return "no data" if minor is None else str(Money(minor, currency))


def facts(report: Report) -> list[tuple[str, str]]:
    """The head of the report: label and words."""
    currency, closing = report.account.currency, report.closing
    signed = [
        f"{one.day.isoformat()} v{one.version} {one.state}: prepared by {one.prepared_by or 'nobody'}"
        f"{f', signed by {one.signed_by}' if one.signed_by else ''}"
        for one in report.signatures
    ]
    return [
        ("Bank account", f"{report.account.name}, {report.account.number}, {currency.upper()}"),
        ("Period", f"{report.first.isoformat()} to {report.last.isoformat()}"),
        ("Ledger, opening", _said(report.opening.ledger_minor, currency)),
        ("Ledger, closing", _said(closing.ledger_minor, currency)),
        ("Statement, opening", _said(report.opening_statement_minor, currency)),
        ("Statement, closing", _said(closing.statement_minor, currency)),
        ("Timing", _said(closing.timing_minor, currency)),
        ("Breaks", _said(closing.breaks_minor, currency)),
        ("of which accepted", _said(closing.accepted_minor, currency)),
        ("Unexplained", _said(closing.unexplained_minor, currency)),
        (
            "Carried in from before the first statement, accepted"
            if closing.carried_accepted
            else "of which carried in from before the first statement",
            _said(closing.carried_minor, currency),
        ),
        (
            "Matched",
            f"{report.matched.count:,}: in {Money(report.matched.in_minor, currency)},"
            f" out {Money(report.matched.out_minor, currency)}",
        ),
        ("Breaks, number", f"{len(report.breaks):,}"),
        ("Rules", ", ".join(f"v{version}" for version in report.rules_versions) or "not run"),
        ("Signatures", "; ".join(signed) or "none"),
    ]


def _listing(report: Report, institution: str, zone: ZoneInfo) -> Listing:
    about = About(
        title=f"{TITLE} {report.account.name} {report.account.currency.upper()}",
        institution=institution,
        as_of=report.as_of or _NEVER,
        zone=zone,
        facts=facts(report),
    )
    return Listing(about, COLUMNS)


def _rows(report: Report) -> Iterator[dict[str, object]]:
    for one in report.breaks:
        head: dict[str, object] = {
            "since": one.since, "kind": BREAK_LABELS[BreakKind(one.kind)],
            "difference": Money(one.difference_minor, one.currency), "state": state_of(*report.state_of(one)),
            "cause": CAUSE_LABELS[Cause(one.cause)],
        }  # fmt: skip
        for row in report.rows[one.id] or [None]:  # type: ignore[list-item]
            yield {
                **head,
                "side": row.side if row else None,
                "amount": Money(row.amount_minor, one.currency) if row else None,
                "booked": row.booked if row else None,
                "reference": row.reference if row else None,
                "party": row.party if row else None,
            }


def xlsx(report: Report, *, institution: str, zone: ZoneInfo, most_rows: int) -> bytes:
    """The workbook; the same report gives the same bytes. Raises TooManyRows."""
    from dashboard.web.exports import xlsx_file

    listing = _listing(report, institution, zone)
    with xlsx_file.file_of(listing, _rows(report), most_rows=most_rows) as file:
        return workbook(file, listing.about.as_of)


def pdf(report: Report, *, institution: str, zone: ZoneInfo) -> bytes:
    """The document; the same report gives the same bytes. Raises TooManyRows."""
    from dashboard.web.exports import pdf_file

    return pdf_file.document(_listing(report, institution, zone), _rows(report))


def document(report: Report) -> dict[str, Any]:
    """As JSON: amounts are decimal numbers, what is not known is null."""
    currency = report.account.currency

    def amount(minor: int | None) -> Any:
        return None if minor is None else Money(minor, currency).amount

    closing = report.closing
    return {
        "bankAccountId": str(report.account.id),
        "provider": report.account.provider,
        "name": report.account.name,
        "accountNumber": report.account.number,
        "currency": currency,
        "pool": report.account.pool,
        "from": report.first.isoformat(),
        "to": report.last.isoformat(),
        "asOf": iso_utc(report.as_of) if report.as_of else None,
        "ruleVersions": list(report.rules_versions),
        "opening": {
            "ledger": amount(report.opening.ledger_minor), "statement": amount(report.opening_statement_minor),
        },
        "closing": {
            "ledger": amount(closing.ledger_minor), "timing": amount(closing.timing_minor),
            "breaks": amount(closing.breaks_minor), "accepted": amount(closing.accepted_minor),
            "statement": amount(closing.statement_minor), "unexplained": amount(closing.unexplained_minor),
            "carriedIn": amount(closing.carried_minor), "carriedInAccepted": closing.carried_accepted,
            "statementDay": closing.statement_day.isoformat() if closing.statement_day else None,
        },
        "matched": {
            "count": report.matched.count, "in": amount(report.matched.in_minor),
            "out": amount(report.matched.out_minor),
        },
        "breaks": [
            {
                "id": str(one.id), "kind": one.kind, "cause": one.cause, "state": report.state_of(one)[0],
                "resolution": report.state_of(one)[1], "since": one.since.isoformat(), "bank": amount(one.bank_minor),
                "ledger": amount(one.ledger_minor), "difference": amount(one.difference_minor),
                "rows": [
                    {
                        "side": row.side, "id": str(row.id), "amount": amount(row.amount_minor),
                        "bookingDate": row.booked.isoformat(),
                        "valueDate": row.valued.isoformat() if row.valued else None, "reference": row.reference,
                    }
                    for row in report.rows[one.id]
                ],
            }
            for one in report.breaks
        ],
        "signatures": [
            {
                "pool": one.pool, "day": one.day.isoformat(), "version": one.version, "state": one.state,
                "preparedBy": one.prepared_by, "preparedAt": iso_utc(one.prepared_at) if one.prepared_at else None,
                "signedBy": one.signed_by, "signedAt": iso_utc(one.signed_at) if one.signed_at else None,
            }
            for one in report.signatures
        ],
    }  # fmt: skip
