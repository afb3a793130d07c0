"""Changing the rules takes two people as well: amounts, fees and countries, and how requests themselves are decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import ruling
from dashboard.approvals.kinds import Detail, Kind, Outcome
from dashboard.approvals.models import ApprovalRequest
from dashboard.transfers.services import rules


def _fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    return ruling.fingerprint(request) if ruling.is_about(request) else rules.fingerprint(request)


def _execute(request: ApprovalRequest, by: Actor) -> None:
    if ruling.is_about(request):
        ruling.execute(request, by)
    else:
        rules.execute(request, by)


def _apart(requests: Sequence[ApprovalRequest]) -> tuple[list[ApprovalRequest], list[ApprovalRequest]]:
    """Those about deciding, and those about amounts, fees and countries."""
    deciding = [request for request in requests if ruling.is_about(request)]
    return deciding, [request for request in requests if not ruling.is_about(request)]


def _outcomes(requests: Sequence[ApprovalRequest]) -> dict[UUID, Outcome]:
    deciding, others = _apart(requests)
    return ruling.outcomes(deciding) | rules.outcomes(others)


def _details(requests: Sequence[ApprovalRequest], reader: Actor) -> dict[UUID, Detail]:
    deciding, others = _apart(requests)
    return ruling.details(deciding, reader) | rules.details(others, reader)


KINDS: tuple[Kind, ...] = (
    Kind(rules.CHANGE, "Change the rule:", Permission.RULES_CHANGE, _fingerprint, _execute,
         done="Changed the rule:", noun="Rule", outcomes=_outcomes, details=_details, closed=rules.closed),
    # more is looked at and nothing more is let through: many at once do no harm (docs/adr/0033)
    Kind(rules.TIGHTEN, "Make stricter:", Permission.RULES_TIGHTEN, rules.fingerprint, rules.execute,
         done="Made stricter:", noun="Stricter rule", outcomes=rules.outcomes,
         details=rules.details, closed=rules.closed, bulk_safe=True),
)  # fmt: skip
