"""Who works here: the list, one person, another role, disabling, letting in again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Response, render_template, request, url_for

from dashboard.access.guard import current_actor
from dashboard.access.permissions import EXPLAINED, ROLES, Role
from dashboard.audit import queries as audit
from dashboard.people import queries, words
from dashboard.people.forms import ReasonForm, RoleForm
from dashboard.people.pages.blueprint import (
    acted,
    at,
    chosen,
    history,
    manages,
    may_manage,
    people,
    reads,
    takes_power,
    typed,
    waiting,
    who_decides,
)
from dashboard.people.queries import MemberRow
from dashboard.people.services import changing
from dashboard.people.services.standing import may_give
from dashboard.staff import queries as staff_queries
from dashboard.views.lists import choices, listed
from dashboard.web.htmx import dialog
from dashboard.web.paging import DEFAULT_PAGE_SIZE, neighbours, unseal

STATES = {"active": "Active", "disabled": "Disabled"}


@people.get("/staff")
@listed(
    "staff", "Staff", keeps=("role", "state"), leaves=("text",),
    reads=choices(role={role.value: row.label for role, row in ROLES.items()}, state=STATES),
)  # fmt: skip
@reads
def listing() -> str:
    """Members by name; text, role and state narrow it."""
    text = typed("text")
    role = chosen("role", [role.value for role in Role], "one of the roles")
    state = chosen("state", STATES, "active or disabled")
    values = {key: value for key, value in (("text", text), ("role", role), ("state", state)) if value}
    bound = ["staff", sorted(values.items())]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = (str(position.key[0]), UUID(position.key[1])) if position else None
    backwards = position is not None and position.backwards
    found = queries.members(
        text=text, role=role, state=state, after=None if backwards else edge, before=edge if backwards else None,
        limit=DEFAULT_PAGE_SIZE + 1,
    )  # fmt: skip
    shown, before, after = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda row: [row.member.name, str(row.member.id)], bound=bound
    )
    return render_template(
        "people/listing.html", rows=shown, values=values, may_manage=may_manage(),
        reader=current_actor().id, badges=words.MEMBER_BADGES, prev_url=at("people.listing", values, before),
        roles=[("", "Any"), *((role.value, row.label) for role, row in ROLES.items())],
        next_url=at("people.listing", values, after),
    )  # fmt: skip


@people.get("/staff/<uuid:member_id>")
@reads
def show(member_id: UUID) -> str:
    """One person: what they may do, what waits about them, what happened."""
    row = queries.member(member_id)
    mine = ROLES[Role(row.member.role)].permissions
    return render_template(
        "people/show.html", row=row, may_manage=may_manage(), badges=words.MEMBER_BADGES,
        about_me=member_id == current_actor().id, tokens=queries.tokens_of(member_id), token_badges=words.TOKEN_BADGES,
        has_factor=member_id in staff_queries.with_second_factor([member_id]),
        token_state=queries.token_state, requests=waiting(queries.requests_about(member_id)),
        may=[line for permission, line in EXPLAINED.items() if permission in mine],
        events=history(audit.of_object("staff_member", member_id, sees_restricted=False)),
    )  # fmt: skip


#: what the second person decides, by the name of the dialog; keeping somebody out needs none
ASKED = {"role": changing.CHANGE_ROLE, "enable": changing.ENABLE}


def _dialog(act: str, row: MemberRow, form: ReasonForm | RoleForm, status: int = 200) -> Response:
    return dialog(
        f"people/_{act}.html", status=status, row=row, form=form,
        title=row.member.name, who_decides=who_decides(ASKED[act], row.member.id) if act in ASKED else "",
        tokens=queries.tokens_of(row.member.id),
        ending=queries.tokens_by_two_of(row.member.id) if may_give(row.member) else [],
        close_url=url_for("people.show", member_id=row.member.id),
    )  # fmt: skip


def _act(act: str, row: MemberRow, form: ReasonForm | RoleForm, verb: Callable[[], Any], *told: str) -> Any:
    back = url_for("people.show", member_id=row.member.id)
    return acted(form, lambda status: _dialog(act, row, form, status), verb, told, back)


@people.route("/staff/<uuid:member_id>/role", methods=["GET", "POST"])
@manages
def change_role(member_id: UUID) -> Any:
    """Ask a second person for another role."""
    row, form = queries.member(member_id), RoleForm()
    if request.method == "GET":
        form.role.data = row.member.role
    return _act(
        "role", row, form,
        lambda: changing.ask_to_change_role(
            member_id, role=Role(form.role.data), reason=form.reason.data or "", by=current_actor()
        ),
        f"Asked for another role of {row.member.name}. A second person decides.", "wait",
    )  # fmt: skip


@people.route("/staff/<uuid:member_id>/disable", methods=["GET", "POST"])
@takes_power
def disable(member_id: UUID) -> Any:
    """Keep somebody out, at once."""
    row, form = queries.member(member_id), ReasonForm()
    return _act(
        "disable", row, form,
        lambda: changing.disable(member_id, reason=form.reason.data or "", by=current_actor()),
        f"{row.member.name} is signed out everywhere and can no longer sign in.", "ok",
    )  # fmt: skip


@people.route("/staff/<uuid:member_id>/enable", methods=["GET", "POST"])
@manages
def enable(member_id: UUID) -> Any:
    """Ask a second person to let somebody in again."""
    row, form = queries.member(member_id), ReasonForm()
    return _act(
        "enable", row, form,
        lambda: changing.ask_to_enable(member_id, reason=form.reason.data or "", by=current_actor()),
        f"Asked to let {row.member.name} sign in again. A second person decides.", "wait",
    )  # fmt: skip
