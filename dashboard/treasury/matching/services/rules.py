"""Rules of matching: the version in force, and changing them by two people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.kinds import Detail, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import Invalid
from dashboard.money import Money
from dashboard.treasury.matching import rules
from dashboard.treasury.matching.models import MatchRuleSet
from dashboard.treasury.matching.queries.rules import in_force, newest
from dashboard.treasury.matching.rules import RuleSet
from dashboard.treasury.matching.vocabulary import RULES

#: two versions at once wait for one another
_LOCK = 0x6D61746368


def ask(asked: RuleSet, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask for a new version. `asked.version` is the one that was looked at. Raises Invalid, Conflict."""
    by.require(Permission.TREASURY_WRITE)
    rules.check(asked)
    standing = newest()
    now = rules.read(standing.version, standing.rules)
    if asked.as_json() == now.as_json():
        raise Invalid.one("passes", "Nothing is different from the rules in force.", "unchanged")
    return approvals.request(
        RULES,
        object_type="match_rule_set",
        object_id=standing.id,
        client_id=None,
        subject=f"v{standing.version}",
        payload={"rules": asked.as_json(), "from": asked.version},
        before=in_words(now),
        after=in_words(asked),
        reason=reason,
        restricted=False,
        by=by,
    )


def fingerprint(_request: ApprovalRequest) -> dict[str, Any]:
    """Nobody has made another version meanwhile."""
    session().execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    return {"version": newest().version}


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The new version is in force from the next run on."""
    version = newest().version + 1
    fresh = MatchRuleSet(
        id=new_id(), version=version, rules=request.payload["rules"], created_at=clock.now(),
        created_by=request.maker_name, approval_id=request.id,
    )  # fmt: skip
    session().add(fresh)
    session().flush()
    audit.record("match_rules.changed", by=by, object_type="match_rule_set", object_id=fresh.id,
                 before=request.before, after=request.after, reason=request.reason)  # fmt: skip


def details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[Any, Detail]:
    """Which version it was asked from."""
    return {
        request.id: Detail(
            "",
            (Line("Changes", (f"rules v{request.payload['from']}",)),),
            (Link("The rules", "/treasury/reconciliation/rules"),),
        )
        for request in requests
    }


def alone_amounts() -> list[str]:
    """Up to which amounts one person accepts a break; currencies without one are not among them."""
    return [str(Money(minor, currency)) for currency, minor in sorted(in_force().accept_alone.items()) if minor]


def in_words(asked: RuleSet) -> dict[str, Any]:
    """As a request and the audit keep it."""
    steps = [
        f"{step.label} within {step.days} days{'' if step.certain else ', a person decides'}" for step in asked.steps
    ]
    alone = [str(Money(minor, currency)) for currency, minor in sorted(asked.accept_alone.items())]
    return {
        "passes": "; ".join(steps),
        "timing": f"{asked.timing_days} bd",
        "due": f"{asked.due_days} bd",
        "accepted by one person up to": ", ".join(alone) or "nothing",
    }


__all__ = ["alone_amounts", "ask", "details", "execute", "fingerprint", "in_force", "in_words"]
