"""Changing how requests of a kind are decided: hours until they expire, and which roles decide. Two people do it.

A rule only ever narrows: it names some of the roles whose permission lets them decide, and gives nobody what their role
does not. The database says all of this a second time (`approval_rule_by_two`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals import deadline, services, terms
from dashboard.approvals.kinds import Detail, Kind, Line, Link, Outcome, kind_of, registered
from dashboard.approvals.models import QUEUE, ApprovalRequest, ApprovalRule
from dashboard.approvals.names import people_in_words, roles_in_words
from dashboard.approvals.terms import Terms
from dashboard.audit import services as audit
from dashboard.database import constraint_of, savepoint, session
from dashboard.errors import FieldError, Invalid, NotFound, Refused
from dashboard.queues import services as queues
from dashboard.queues.models import QueueItem
from dashboard.staff import queries as staff
from dashboard.staff.models import StaffMember
from dashboard.staff.queries import Person

CHANGE = "rules.change"
#: what a request is about, as the database compares it with the row
TABLE = ApprovalRule.__tablename__
OBJECT = "rule"
PAGE = "/approvals/rules"
LEAST_HOURS, MOST_HOURS = 1, 240
HOURS, DECIDERS = "Expires after", "Who decides"
#: of the identifiers of rules: known before there is a row
_PLACE = UUID("0b8f4a52-3c6e-5d0b-9f60-7d3a1f7f2c58")


def is_about(request: ApprovalRequest) -> bool:
    """Whether a change of a rule concerns deciding itself, and no amount."""
    return bool(request.payload.get("rule") == TABLE)


def known(kind_key: str) -> Kind:
    """Raises NotFound."""
    if kind_key not in {kind.key for kind in registered()}:
        raise NotFound("There is no such kind of request.", code="ruleNotFound")
    return kind_of(kind_key)


def id_of(kind_key: str) -> UUID:
    return uuid5(_PLACE, kind_key)


def hours_in_words(hours: int | None) -> str:
    """1 business hour; 12 business hours, as installed"""
    said = deadline.business_hours() if hours is None else hours
    return f"{said} business hour{'s' if said != 1 else ''}{', as installed' if hours is None else ''}"


def deciders_in_words(kind: Kind, deciders: Collection[str] | None) -> str:
    """Senior officers; Officers and senior officers"""
    words = roles_in_words([role for role in kind.roles() if deciders is None or role in deciders])
    return words[:1].upper() + words[1:]


def _row(kind_key: str, rule: Terms) -> dict[str, Any] | None:
    """The version as the database compares it with a request; None for the one that was installed."""
    if not rule.version:
        return None
    deciders = list(rule.deciders) if rule.deciders is not None else None
    return {"kind": kind_key, "version": rule.version, "hours": rule.hours, "deciders": deciders}


def _said(kind: Kind, row: dict[str, Any] | None) -> dict[str, str]:
    row = row or {"hours": None, "deciders": None}
    return {HOURS: hours_in_words(row["hours"]), DECIDERS: deciders_in_words(kind, row["deciders"])}


def as_it_stands(kind: Kind) -> dict[str, str]:
    """The rule in words."""
    return _said(kind, _row(kind.key, terms.of(kind.key)))


def _seniors(roles: Iterable[str]) -> list[Person]:
    """Who can be the senior one of two: whatever a junior or a token asks needs one."""
    senior = [Role(role) for role in roles if ROLES[Role(role)].senior]
    return staff.members_in(senior, idle=timedelta(0)) if senior else []


def left_to_decide(kind: Kind, deciders: Collection[str] | None, *, asker: UUID | None) -> str | None:
    """Why a house with such a rule would lock itself out, in words; None where somebody senior is left: one beside
    whoever asks for the rule, or two where it is about rules themselves."""
    if deciders is None:
        return None
    able = _seniors(deciders)
    about_rules = kind.key == CHANGE
    left = able if about_rules else [person for person in able if person.id != asker]
    if len(left) >= (2 if about_rules else 1):
        return None
    now = people_in_words(_seniors(kind.roles()))
    need = "two people who may decide about rules must be left" if about_rules else (
        "somebody senior other than who asks for this must be left to decide"
    )  # fmt: skip
    found = f"would be {people_in_words(left)}" if left else "would be nobody"
    return f"{need[:1].upper()}{need[1:]}; it {found}. Senior and active now: {now}."


def _hours(hours: int | None) -> list[FieldError]:
    if hours is None or LEAST_HOURS <= hours <= MOST_HOURS:
        return []
    message = f"Write whole business hours, {LEAST_HOURS} to {MOST_HOURS}; empty: as installed."
    return [FieldError("hours", message, "range")]


def _deciders(kind: Kind, chosen: Collection[str], asker: UUID | None) -> list[FieldError]:
    can = kind.roles()
    if not chosen:
        return [FieldError("deciders", f"Choose at least one role: {roles_in_words(can)}.", "required")]
    if not set(chosen) <= set(can):
        message = f"Only {roles_in_words(can)} can decide this: a rule gives no role what it does not have."
        return [FieldError("deciders", message, "onlyNarrows")]
    if not any(ROLES[Role(role)].senior for role in chosen):
        seniors = roles_in_words([role for role in can if ROLES[role].senior])
        message = f"One of the two people is senior, so one of these must be among them: {seniors}."
        return [FieldError("deciders", message, "seniorNeeded")]
    alone = left_to_decide(kind, chosen, asker=asker)
    return [FieldError("deciders", alone, "nobodyLeft")] if alone else []


def ask(
    kind_key: str, *, hours: int | None, deciders: Collection[str], reason: str, by: Actor
) -> ApprovalRequest:  # fmt: skip
    """Ask a second person for another rule of a kind. `hours`: None as installed; `deciders`: roles, all of the
    permission's for no narrowing.

    Raises NotFound, Forbidden, Invalid (hours, deciders, reason), Refused `unchanged`, Conflict `alreadyRequested`.
    """
    by.require(Permission.RULES_CHANGE)
    kind = known(kind_key)
    errors = [*_hours(hours), *_deciders(kind, deciders, by.id)]
    if not reason.strip():
        errors.append(FieldError("reason", "Say why.", "required"))
    if errors:
        raise Invalid(errors)
    roles = [role.value for role in kind.roles() if role in deciders]
    narrowed = None if len(roles) == len(kind.roles()) else roles
    stands = terms.locked(kind_key)
    if (stands.hours, stands.deciders) == (hours, None if narrowed is None else tuple(narrowed)):
        raise Refused("It stands like this already.", code="unchanged")
    was = _row(kind_key, stands)
    becomes = {"kind": kind_key, "version": stands.version + 1, "hours": hours, "deciders": narrowed}
    return services.request(
        CHANGE,
        object_type=OBJECT,
        object_id=id_of(kind_key),
        client_id=None,
        subject=f"Requests “{kind.named()}”",
        payload={"rule": TABLE, "was": was, "becomes": becomes},
        before=_said(kind, was),
        after=_said(kind, becomes),
        reason=reason,
        restricted=False,
        by=by,
    )


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """The version that stands; decisions of its kind wait from here on."""
    key = request.payload["becomes"]["kind"]
    return {"was": _row(key, terms.locked(key))}


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved change. Roles count at once, also for requests that are open; hours for those that
    are made from now on. What somebody has taken and decides no more waits for everybody again.

    Raises Refused `nobodyLeft`: people left or changed their role since it was asked.
    """
    becomes = request.payload["becomes"]
    kind = kind_of(becomes["kind"])
    alone = left_to_decide(kind, becomes["deciders"], asker=request.maker_id)
    if alone:
        raise Refused(alone, code="nobodyLeft")
    try:
        with savepoint():
            session().add(ApprovalRule(**becomes, approval_id=request.id))
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "approval_rule_somebody_decides":
            raise
        # somebody left at this very moment
        raise Refused("Nobody would be left to decide. Nothing was changed.", code="nobodyLeft") from None
    _release(kind, terms.of(kind.key), by)
    audit.record(
        "rule.changed", by=by, object_type=OBJECT, object_id=request.object_id, before=request.before,
        after=request.after, reason=request.reason,
    )  # fmt: skip


def rule_keepers() -> Collection[str]:
    """Roles of whom one always stays, so that rules can be changed at all; empty while all of them decide."""
    return terms.of(CHANGE).deciders or ()


def _release(kind: Kind, rule: Terms, by: Actor) -> None:
    """Give back requests of this kind that somebody took whose role decides them no more."""
    stuck = session().scalars(
        sa.select(QueueItem.id)
        .join(ApprovalRequest, ApprovalRequest.id == QueueItem.object_id)
        .join(StaffMember, StaffMember.id == QueueItem.assignee_id)
        .where(
            QueueItem.queue == QUEUE,
            QueueItem.closed_at.is_(None),
            ApprovalRequest.kind == kind.key,
            StaffMember.role.not_in([role.value for role in rule.roles(kind)]),
        )
    )
    queues.release_all(stuck.all(), by=by)


def outcomes(requests: Sequence[ApprovalRequest]) -> dict[UUID, Outcome]:
    """What each request turns, and not what it leaves as it is."""
    found = {}
    for request in requests:
        before, after = request.before, request.after
        # in this order, which the database does not keep
        turned = [label for label in (HOURS, DECIDERS) if before.get(label) != after.get(label)]
        found[request.id] = ({label: before[label] for label in turned}, {label: after[label] for label in turned})
    return found


def details(requests: Sequence[ApprovalRequest], _reader: Actor) -> dict[UUID, Detail]:
    """What counts from when, and who would be left to decide."""
    open_now = [request for request in requests if request.state == "requested"]
    people = _seniors({role for request in open_now for role in kind_of(request.payload["becomes"]["kind"]).roles()})
    found = {}
    for request in requests:
        becomes = request.payload["becomes"]
        kind = kind_of(becomes["kind"])
        lines = [Line("In force", ("at once, when approved; requests that are open keep their end",))]
        if request in open_now:
            roles = kind.roles() if becomes["deciders"] is None else becomes["deciders"]
            left = people_in_words([person for person in people if person.role in roles])
            lines.insert(0, Line("Seniors left", (left,)))
        found[request.id] = Detail("", tuple(lines), (Link("The rule", f"{PAGE}/{kind.key}"),))
    return found
