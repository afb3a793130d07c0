"""Reading who works here, who is invited, and which tokens stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from dashboard import clock
from dashboard.access import tokens as access
from dashboard.access.models import ApiToken
from dashboard.access.permissions import POWERFUL
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.people.models import StaffInvitation
from dashboard.staff.models import StaffMember, StaffSession

INVITATION_STATES = ("prepared", "waiting", "expired", "accepted", "ended")
TOKEN_STATES = ("active", "waiting", "expired", "revoked")


@dataclass(frozen=True)
class MemberRow:
    """`last_seen`: when a session of theirs was last in use; None where nobody has signed in yet."""

    member: StaffMember
    last_seen: datetime | None


def _contains(column: InstrumentedAttribute[str], text: str) -> sa.ColumnElement[bool]:
    return column.icontains(text, autoescape=True)


def _last_seen() -> sa.ScalarSelect[datetime]:
    return (
        sa.select(sa.func.max(StaffSession.seen_at))
        .where(StaffSession.staff_id == StaffMember.id)
        .correlate(StaffMember)
        .scalar_subquery()
    )


def members(
    *,
    text: str = "",
    role: str = "",
    state: str = "",
    after: tuple[str, UUID] | None = None,
    before: tuple[str, UUID] | None = None,
    limit: int = 50,
) -> list[MemberRow]:
    """By name. `state`: active or disabled; `after` and `before`: name and id of the row at the edge of the page."""
    query = sa.select(StaffMember, _last_seen()).limit(limit)
    if text:
        query = query.where(sa.or_(_contains(StaffMember.name, text), _contains(StaffMember.email, text)))
    if role:
        query = query.where(StaffMember.role == role)
    if state:
        query = query.where(
            StaffMember.disabled_at.is_(None) if state == "active" else StaffMember.disabled_at.is_not(None)
        )
    place = sa.tuple_(StaffMember.name, StaffMember.id)
    if after is not None:
        query = query.where(place > sa.tuple_(*map(sa.literal, after)))
    if before is not None:
        query = query.where(place < sa.tuple_(*map(sa.literal, before)))
        query = query.order_by(StaffMember.name.desc(), StaffMember.id.desc())
    else:
        query = query.order_by(StaffMember.name, StaffMember.id)
    found = [MemberRow(member, seen) for member, seen in session().execute(query)]
    return found[::-1] if before is not None else found


def member(member_id: UUID) -> MemberRow:
    """Raises NotFound."""
    row = session().execute(sa.select(StaffMember, _last_seen()).where(StaffMember.id == member_id)).first()
    if row is None:
        raise NotFound("There is no such staff member.")
    return MemberRow(row[0], row[1])


def tokens_of(member_id: UUID) -> Sequence[ApiToken]:
    """Tokens that this person answers for and that may still be used, newest first."""
    return list(
        session().scalars(
            sa.select(ApiToken).where(ApiToken.owner_id == member_id, *access.usable()).order_by(ApiToken.id.desc())
        )
    )


def tokens_by_two_of(member_id: UUID) -> Sequence[ApiToken]:
    """Those of them that end with the person's power over staff, newest first."""
    return list(
        session().scalars(
            sa.select(ApiToken)
            .where(ApiToken.owner_id == member_id, *access.usable(), access.TAKES_TWO)
            .order_by(ApiToken.id.desc())
        )
    )


def requests_about(object_id: UUID) -> Sequence[ApprovalRequest]:
    """Open requests about a member, newest first."""
    return list(
        session().scalars(
            sa.select(ApprovalRequest)
            .where(
                ApprovalRequest.object_id == object_id,
                ApprovalRequest.state == "requested",
                ApprovalRequest.expires_at > clock.now(),
            )
            .order_by(ApprovalRequest.id.desc())
        )
    )


def open_requests(kind: str) -> Sequence[ApprovalRequest]:
    """Requests of a kind that wait for a decision, newest first."""
    return list(
        session().scalars(
            sa.select(ApprovalRequest)
            .where(
                ApprovalRequest.kind == kind,
                ApprovalRequest.state == "requested",
                ApprovalRequest.expires_at > clock.now(),
            )
            .order_by(ApprovalRequest.id.desc())
        )
    )


def state_of(invitation: StaffInvitation) -> str:
    """One of INVITATION_STATES."""
    if invitation.accepted_at is not None:
        return "accepted"
    if invitation.ended_at is not None:
        return "ended"
    if invitation.link_expires_at is None:
        return "prepared"
    return "waiting" if invitation.link_expires_at > clock.now() else "expired"


def invitations(
    *, state: str = "", after: UUID | None = None, before: UUID | None = None, limit: int = 50
) -> list[StaffInvitation]:
    """Newest first; `after` and `before` as in `tokens`."""
    query = sa.select(StaffInvitation).limit(limit)
    stands = [StaffInvitation.accepted_at.is_(None), StaffInvitation.ended_at.is_(None)]
    if state == "open":
        query = query.where(*stands)
    elif state == "accepted":
        query = query.where(StaffInvitation.accepted_at.is_not(None))
    elif state == "ended":
        query = query.where(StaffInvitation.ended_at.is_not(None))
    if after is not None:
        query = query.where(StaffInvitation.id < after)
    if before is not None:
        query = query.where(StaffInvitation.id > before).order_by(StaffInvitation.id)
        return list(session().scalars(query))[::-1]
    return list(session().scalars(query.order_by(StaffInvitation.id.desc())))


def invitation(invitation_id: UUID) -> StaffInvitation:
    """Raises NotFound."""
    found = session().get(StaffInvitation, invitation_id)
    if found is None:
        raise NotFound("There is no such invitation.")
    return found


def token_state(token: ApiToken) -> str:
    """One of TOKEN_STATES; waiting: its owner has not taken the secret."""
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at <= clock.now():
        return "expired"
    return "active" if token.secret_shown_at is not None else "waiting"


@dataclass(frozen=True)
class TokenRow:
    """`owner`: the name of who answers for it; None of one that the operator made for nobody."""

    token: ApiToken
    owner: str | None


_TOKENS = sa.select(ApiToken, StaffMember.name).outerjoin(StaffMember, StaffMember.id == ApiToken.owner_id)


def tokens(
    *,
    text: str = "",
    audience: str = "",
    state: str = "",
    powerful: bool = False,
    owner_id: UUID | None = None,
    after: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[TokenRow]:
    """Newest first. `after`: the last id of the page before; `before`: the first id of the page after."""
    query = _TOKENS.limit(limit)
    if text:
        query = query.where(sa.or_(_contains(ApiToken.name, text), ApiToken.prefix.startswith(text, autoescape=True)))
    if audience:
        query = query.where(ApiToken.audience == audience)
    if owner_id is not None:
        query = query.where(ApiToken.owner_id == owner_id)
    if powerful:
        query = query.where(ApiToken.scopes.overlap(sorted(scope.value for scope in POWERFUL)))  # type: ignore[attr-defined]
    unused = ApiToken.secret_shown_at.is_(None)
    stands = access.usable()
    if state == "revoked":
        query = query.where(ApiToken.revoked_at.is_not(None))
    elif state == "expired":
        query = query.where(ApiToken.revoked_at.is_(None), ApiToken.expires_at <= clock.now())
    elif state:
        query = query.where(*stands, unused if state == "waiting" else ~unused)
    if after is not None:
        query = query.where(ApiToken.id < after)
    if before is not None:
        query = query.where(ApiToken.id > before).order_by(ApiToken.id)
    else:
        query = query.order_by(ApiToken.id.desc())
    found = [TokenRow(token, owner) for token, owner in session().execute(query)]
    return found[::-1] if before is not None else found


def token(token_id: UUID) -> TokenRow:
    """Raises NotFound."""
    row = session().execute(_TOKENS.where(ApiToken.id == token_id)).first()
    if row is None:
        raise NotFound("There is no such token.")
    return TokenRow(row[0], row[1])
