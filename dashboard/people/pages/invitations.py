"""Invitations: asking, the link that is shown once, taking it back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import current_app, flash, render_template, request, url_for

from dashboard import notifier
from dashboard.access.guard import current_actor
from dashboard.access.permissions import ROLES, Role
from dashboard.audit import queries as audit
from dashboard.database import transaction
from dashboard.errors import Conflict, DomainError
from dashboard.people import queries, words
from dashboard.people.forms import InviteForm, ReasonForm
from dashboard.people.models import StaffInvitation
from dashboard.people.pages.blueprint import (
    acted,
    at,
    chosen,
    hands_out_power,
    history,
    manages,
    may_manage,
    people,
    reads,
    waiting,
    who_decides,
)
from dashboard.people.services import inviting
from dashboard.settings import Settings
from dashboard.staff import queries as staff
from dashboard.views.lists import choices, listed
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, neighbours, unseal

STATES = {"open": "Open", "accepted": "Accepted", "ended": "Ended"}


@people.get("/staff/invitations")
@listed("invitations", "Invitations", keeps=("state",), reads=choices(state=STATES))
@reads
def invitations() -> str:
    """Newest first; state narrows it."""
    state = chosen("state", STATES, "open, accepted or ended")
    values = {"state": state} if state else {}
    bound = ["invitations", state]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.invitations(
        state=state, after=None if backwards else edge, before=edge if backwards else None, limit=DEFAULT_PAGE_SIZE + 1
    )
    shown, before, after = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda row: [str(row.id)], bound=bound
    )
    return render_template(
        "people/invitations.html", rows=shown, state=state, may_manage=may_manage(),
        badges=words.INVITATION_BADGES, state_of=queries.state_of, roles=ROLES, role_of=Role,
        names=staff.names(row.invited_by for row in shown), requests=waiting(queries.open_requests(inviting.INVITE)),
        prev_url=at("people.invitations", values, before), next_url=at("people.invitations", values, after),
    )  # fmt: skip


@people.route("/staff/invitations/new", methods=["GET", "POST"])
@hands_out_power
def invite() -> Any:
    """Ask a second person to let somebody join."""
    form, back = InviteForm(), url_for("people.invitations")
    return acted(
        form,
        lambda status: page_or_fragment(
            "people/dialog.html", "people/_invite.html", status=status, included="people/_invite.html", form=form,
            title="Invite somebody", who_decides=who_decides(), roles=ROLES, close_url=back,
        ),
        lambda: inviting.ask_to_invite(
            name=form.name.data or "", email=form.email.data or "", role=Role(form.role.data),
            reason=form.reason.data or "", by=current_actor(),
        ),
        ("Asked for the invitation. Once a second person has approved it, you make the link here.", "wait"),
        back,
    )  # fmt: skip


def _shown(invitation: StaffInvitation, **link: Any) -> str:
    known = staff.names((invitation.invited_by, invitation.link_by))
    return render_template(
        "people/invitation.html", invitation=invitation, may_manage=may_manage(),
        state=queries.state_of(invitation), badges=words.INVITATION_BADGES, role=ROLES[Role(invitation.role)],
        ended=words.ENDED.get(invitation.ended_because or ""), names=known,
        events=history(audit.of_object("staff_invitation", invitation.id, sees_restricted=False)), **link,
    )  # fmt: skip


@people.get("/staff/invitations/<uuid:invitation_id>")
@reads
def invitation(invitation_id: UUID) -> str:
    """One invitation; never its link."""
    return _shown(queries.invitation(invitation_id))


def _mailed(invitation: StaffInvitation, link: str) -> tuple[bool, str]:
    """Send the link; whether it was sent, and that in words. The transaction has ended: a mail server is slow."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    if settings.mail_server is None:
        return False, "No mail server is set up, so nothing was e-mailed: hand it over yourself."
    text = (
        f"Hello {invitation.name},\n\n{settings.institution_name} has made a place for you in its back office."
        f" Choose a password within 72 hours:\n\n{link}\n\nThe link works once. If you did not expect it, tell an"
        " administrator.\n"
    )
    try:
        notifier.current().send(notifier.Message(invitation.email, "Your invitation to the back office", text))
    except DomainError:
        return False, f"It could not be e-mailed to {invitation.email}: hand it over yourself."
    return True, f"The link was e-mailed to {invitation.email}. Nobody else sees it."


@people.post("/staff/invitations/<uuid:invitation_id>/link")
@hands_out_power
def make_link(invitation_id: UUID) -> Any:
    """Make the link and e-mail it; where that cannot be, show it once. Loading the answer again makes another link, and
    this one is over. What was e-mailed is not shown: whoever has the link can join in the invited person's name."""
    try:
        with transaction():
            made, secret = inviting.make_link(invitation_id, by=current_actor())
    except Conflict as refusal:
        flash(refusal.message, "wait")
        return go(url_for("people.invitation", invitation_id=invitation_id))
    link = url_for("people.join", secret=secret, _external=True)
    sent, words_of_it = _mailed(made, link)
    if sent:
        flash(words_of_it, "ok")
        return go(url_for("people.invitation", invitation_id=invitation_id))
    return _shown(made, link=link, mailed=words_of_it)


@people.route("/staff/invitations/<uuid:invitation_id>/withdraw", methods=["GET", "POST"])
@manages
def withdraw_invitation(invitation_id: UUID) -> Any:
    """Take it back, at once."""
    form, known = ReasonForm(), queries.invitation(invitation_id)
    back = url_for("people.invitation", invitation_id=invitation_id)
    return acted(
        form,
        lambda status: page_or_fragment(
            "people/dialog.html", "people/_withdraw.html", status=status, included="people/_withdraw.html", form=form,
            invitation=known, title=known.name, close_url=back,
        ),
        lambda: inviting.withdraw(invitation_id, reason=form.reason.data or "", by=current_actor()),
        (f"The invitation of {known.name} is withdrawn. Its link no longer works.", "ok"),
        back,
    )  # fmt: skip
