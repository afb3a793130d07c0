"""Members, invitations and tokens as files: what the list shows, all pages of it."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response

from dashboard.access.guard import current_actor
from dashboard.access.permissions import ROLES, Role
from dashboard.people import queries, words
from dashboard.people.models import StaffInvitation
from dashboard.people.pages.blueprint import chosen, people, reads, typed
from dashboard.people.queries import MemberRow, TokenRow
from dashboard.people.services import machines
from dashboard.staff import queries as staff
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts

#: rows that are read at once
PART = 500

MEMBERS = (
    Column("name", "Name"),
    Column("email", "E-mail"),
    Column("role", "Role"),
    Column("seen", "Last seen", Kind.MOMENT),
    Column("since", "Since", Kind.MOMENT),
    Column("state", "State", share=0.6),
    Column("id", "Identifier", share=1.4),
)
INVITATIONS = (
    Column("name", "Name"),
    Column("email", "E-mail"),
    Column("role", "Role"),
    Column("by", "Invited by"),
    Column("approved", "Approved", Kind.MOMENT),
    Column("until", "Link until", Kind.MOMENT),
    Column("state", "State", share=0.6),
)
TOKENS = (
    Column("name", "Name"),
    Column("audience", "Audience", share=0.6),
    Column("may", "May", share=3),
    Column("owner", "Owner"),
    Column("made", "Made", Kind.MOMENT),
    Column("used", "Last used", Kind.MOMENT),
    Column("expires", "Expires", Kind.MOMENT),
    Column("state", "State", share=0.6),
    Column("id", "Identifier", share=1.4),
)


def _filters(*named: tuple[str, str]) -> list[tuple[str, str]]:
    return [(label, value) for label, value in named if value]


@people.get("/staff/export/<form>")
@downloads("staff")
@reads
def export_members(form: str) -> Response:
    """The list of members with its filters."""
    chosen_format = Format.of_a_list(form)
    text = typed("text")
    role = chosen("role", [role.value for role in Role], "one of the roles")
    state = chosen("state", ("active", "disabled"), "active or disabled")

    def after(last: MemberRow | None) -> list[MemberRow]:
        edge = (last.member.name, last.member.id) if last else None
        return queries.members(text=text, role=role, state=state, after=edge, limit=PART)

    def rows() -> Iterator[Row]:
        for part in parts(after):
            for row in part:
                yield {
                    "name": row.member.name,
                    "email": row.member.email,
                    "role": row.member.role_row.label,
                    "seen": row.last_seen,
                    "since": row.member.created_at,
                    "state": words.MEMBER_BADGES[row.member.disabled_at is not None][1],
                    "id": row.member.id,
                }

    filters = _filters(
        ("Name or e-mail", text), ("Role", ROLES[Role(role)].label if role else ""), ("State", state.capitalize())
    )
    about = exports.about("Staff", filters=filters, by=current_actor().name)
    return exports.answer(Listing(about, MEMBERS), rows, chosen_format)


@people.get("/staff/invitations/export/<form>")
@downloads("invitations")
@reads
def export_invitations(form: str) -> Response:
    """The list of invitations with its filter."""
    chosen_format = Format.of_a_list(form)
    state = chosen("state", ("open", "accepted", "ended"), "open, accepted or ended")

    def after(last: StaffInvitation | None) -> list[StaffInvitation]:
        return queries.invitations(state=state, after=last.id if last else None, limit=PART)

    def rows() -> Iterator[Row]:
        for part in parts(after):
            names = staff.names(row.invited_by for row in part)
            for row in part:
                stands = row.accepted_at is None and row.ended_at is None
                yield {
                    "name": row.name,
                    "email": row.email,
                    "role": ROLES[Role(row.role)].label,
                    "by": names.get(row.invited_by, ""),
                    "approved": row.created_at,
                    "until": row.link_expires_at if stands else None,
                    "state": words.INVITATION_BADGES[queries.state_of(row)][1],
                }

    about = exports.about("Invitations", filters=_filters(("State", state.capitalize())), by=current_actor().name)
    return exports.answer(Listing(about, INVITATIONS), rows, chosen_format)


@people.get("/staff/tokens/export/<form>")
@downloads("tokens")
@reads
def export_tokens(form: str) -> Response:
    """The list of tokens with its filters; no secret is known to be written."""
    chosen_format = Format.of_a_list(form)
    actor, text = current_actor(), typed("text")
    audience = chosen("audience", words.AUDIENCES, "one of the audiences")
    state = chosen("state", queries.TOKEN_STATES, "one of the states")
    power = chosen("power", ("powerful",), "powerful")
    owner = chosen("owner", ("me",), "me")

    def after(last: TokenRow | None) -> list[TokenRow]:
        return queries.tokens(
            text=text, audience=audience, state=state, powerful=bool(power), owner_id=actor.id if owner else None,
            after=last.token.id if last else None, limit=PART,
        )  # fmt: skip

    def rows() -> Iterator[Row]:
        for part in parts(after):
            for row in part:
                token = row.token
                yield {
                    "name": token.name,
                    "audience": words.AUDIENCES[token.audience][0],
                    "may": machines.in_words(token.scopes),
                    "owner": row.owner or "nobody",
                    "made": token.created_at,
                    "used": token.last_used_at,
                    "expires": token.expires_at,
                    "state": words.TOKEN_BADGES[queries.token_state(token)][1],
                    "id": token.id,
                }

    filters = _filters(
        ("Name, or how it begins", text), ("Audience", words.AUDIENCES[audience][0] if audience else ""),
        ("State", words.TOKEN_BADGES[state][1] if state else ""), ("Scopes", power.capitalize()),
        ("Owner", actor.name if owner else ""),
    )  # fmt: skip
    about = exports.about("Tokens", filters=filters, by=actor.name)
    return exports.answer(Listing(about, TOKENS), rows, chosen_format)
