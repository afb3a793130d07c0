"""States and events of staff and tokens in words."""

from __future__ import annotations

from typing import Any

from dashboard.access.permissions import EXPLAINED, ROLES, Permission, Role

MEMBER_BADGES = {True: ("neutral", "Disabled"), False: ("ok", "Active")}
INVITATION_BADGES = {
    "prepared": ("wait", "No link yet"),
    "waiting": ("info", "Link is out"),
    "expired": ("neutral", "Link expired"),
    "accepted": ("ok", "Accepted"),
    "ended": ("neutral", "Over"),
}
TOKEN_BADGES = {
    "active": ("ok", "Active"),
    "waiting": ("wait", "Secret not taken"),
    "expired": ("neutral", "Expired"),
    "revoked": ("neutral", "Revoked"),
}
ENDED = {
    "withdrawn": "withdrawn",
    "replaced": "replaced by a newer invitation of the same address",
    "inviterGone": "who invited may no longer invite",
}
AUDIENCES = {
    "frontoffice": ("Front office", "An app that acts for one client and sees nothing of another."),
    "system": ("System", "A system of the house; scopes say what it may do."),
    "integration": ("Integration", "A partner's onboarding system."),
}

#: what these mean for a machine: it asks nobody
_ALONE = {
    Permission.CLIENTS_UNBLOCK: "Lifts blocks that it placed itself, without a second person.",
    Permission.CLIENTS_READ_RESTRICTED: "Reads codes and comments of blocks, which stay secret from most people.",
    Permission.PAYMENTS_ADJUST: "Adjusts and reverses payments, without a second person.",
    Permission.TRANSFERS_ASSIGN: "Assigns unrecognized money of any amount, without a second person.",
    Permission.TRANSFERS_EXECUTE: "Executes transfers by hand, without a second person.",
}

_EVENTS = {
    "staff.created": "Account made by the operator",
    "staff.joined": "Joined by invitation",
    "staff.signed_in": "Signed in",
    "staff.signed_out": "Signed out",
    "staff.signed_out_everywhere": "Signed out everywhere",
    "staff.sign_in_refused": "Sign-in refused",
    "staff.locked_out": "Locked out after failed sign-ins",
    "staff.password_right": "Right password; the code was still to come",
    "staff.code_refused": "Code refused at sign-in",
    "staff.step_up_refused": "Could not show again that it is them",
    "staff.stepped_up": "Showed again that it is them",
    "staff.recovery_code_used": "Used a recovery code",
    "staff.recovery_codes_renewed": "Made new recovery codes",
    "staff.second_factor_begun": "Began to set up a second factor",
    "staff.second_factor_confirmed": "Turned the second factor on",
    "staff.second_factor_off": "Turned the second factor off",
    "staff.second_factor_reset": "Second factor reset",
    "staff.session_ended": "Ended a session",
    "staff.password_changed": "Changed the password",
    "staff.password_change_refused": "Wrong password when changing it",
    "staff.password_reset": "Password taken away by two people",
    "staff.password_code_made": "First code of the reset made",
    "staff.password_countersign_made": "Second code of the reset made",
    "staff.password_code_refused": "Second code of the reset refused",
    "staff.password_set": "New password set by the operator",
    "staff.role_changed": "Role changed",
    "staff.disabled": "Disabled: can no longer sign in",
    "staff.enabled": "May sign in again",
    "staff.invited": "Invitation approved",
    "staff.invitation_link": "Link made",
    "staff.joining_code": "Joining code made",
    "staff.joining_code_refused": "Joining code refused",
    "staff.invitation_ended": "Invitation ended",
    "staff.invitation_accepted": "Invitation accepted",
    "token.created": "Token made",
    "token.secret_shown": "Secret shown to its owner",
    "token.revoked": "Token revoked",
}


def said(action: str) -> str:
    """Signed in; an action without words of its own is shown as it is named."""
    return _EVENTS.get(action) or action.replace(".", ": ").replace("_", " ").capitalize()


def role_turn(before: dict[str, Any], after: dict[str, Any]) -> tuple[str | None, str | None]:
    """Roles before and after, where an event changed one."""

    def label(role: Any) -> str | None:
        return ROLES[Role(role)].label if role in {row.value for row in Role} else None

    return label(before.get("role")), label(after.get("role"))


def scope(permission: Permission) -> tuple[str, str]:
    """What a scope is called, and what it lets a machine do."""
    line = EXPLAINED[permission]
    return line.label, _ALONE.get(permission, line.explanation)
