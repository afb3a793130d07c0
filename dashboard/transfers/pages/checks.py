"""What a check found, in words: its rule, the limit, what was measured, and the rows behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import url_for

from dashboard.clients import countries
from dashboard.clients.vocabulary import Risk, in_words
from dashboard.clock import calendar
from dashboard.money import Money
from dashboard.transfers.badges import Badge, check_label
from dashboard.transfers.models import Transfer, TransferCheck
from dashboard.transfers.services.checks import TABLE
from dashboard.transfers.vocabulary import Check, CheckOutcome, Kind

RULES = {asked.code: asked.rule for asked in TABLE}
_OUTCOMES = {
    CheckOutcome.PASSED: Badge("ok", "Passed"),
    CheckOutcome.REVIEW: Badge("wait", "In review"),
    CheckOutcome.REFUSED: Badge("stop", "Refused"),
}


@dataclass(frozen=True)
class CheckLine:
    """One check. `behind`: transfers by id that were counted; `more`: the list of all of them."""

    label: str
    badge: Badge
    rule: str
    limit: Money | None
    measured: Money | None
    facts: list[str]
    behind: list[UUID]
    more: str | None

    @property
    def passed(self) -> bool:
        return self.badge.role == "ok"


def lines(checks: Sequence[TransferCheck], transfer: Transfer) -> list[CheckLine]:
    """The checks in words, in their order."""
    return [_line(check, transfer) for check in checks]


def _line(check: TransferCheck, transfer: Transfer) -> CheckLine:
    code = Check(check.code)

    def money(minor: int | None) -> Money | None:
        return Money(minor, transfer.currency) if minor is not None else None

    return CheckLine(
        label=check_label(check.code),
        badge=_OUTCOMES[CheckOutcome(check.outcome)],
        rule=RULES[code],
        limit=money(check.limit_minor),
        measured=money(check.measured_minor),
        facts=_facts(check.detail),
        behind=_identifiers(check.detail),
        more=_more(check, transfer),
    )


def _facts(detail: dict[str, Any]) -> list[str]:
    """Figures behind a finding. What is not known here is left out: nothing is shown that nobody chose to show."""
    found = []
    if detail.get("riskLevel") in set(Risk):
        found.append(f"risk {Risk(detail['riskLevel']).label.lower()}")
    if detail.get("minutes"):
        found.append(f"within {detail['minutes']} minutes")
    if detail.get("since"):
        day = datetime.fromisoformat(str(detail["since"])).astimezone(calendar().zone)
        found.append(f"since {day.day} {day:%b %Y}")
    if "count" in detail:
        found.append(f"{detail['count']} other transfer{'' if detail['count'] == 1 else 's'}")
    if "country" in detail:
        found.append(countries.shown(detail["country"]) if detail["country"] else "no country is known")
    if detail.get("note"):
        found.append(str(detail["note"]))
    if detail.get("missing"):
        found.append("missing: " + ", ".join(in_words(str(name)).lower() for name in detail["missing"]))
    return found


def _identifiers(detail: dict[str, Any]) -> list[UUID]:
    found = []
    for text in detail.get("transferIds") or []:
        try:
            found.append(UUID(str(text)))
        except ValueError:
            continue
    return found


def _more(check: TransferCheck, transfer: Transfer) -> str | None:
    """The list that holds the rows behind a sum."""
    since = check.detail.get("since")
    if since is None or transfer.client_id is None:
        return None
    day = datetime.fromisoformat(str(since)).astimezone(calendar().zone).date()
    return url_for(
        "transfers.listing", kind=Kind.OUTGOING.value, client=transfer.client_id, currency=transfer.currency,
        created_from=day.isoformat(),
    )  # fmt: skip
