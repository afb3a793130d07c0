"""Whom a limit counts where somebody is known: the person, not the network that colleagues share with them."""

from __future__ import annotations

from dashboard.staff import services, sessions
from dashboard.web.limits import caller


def member() -> str:
    """The signed-in person; the caller where nobody is."""
    signed_in = sessions.current_member()
    return f"member {signed_in.member.id}" if signed_in is not None else caller()


def half_signed_in() -> str:
    """The sign-in that waits for its code; the caller where none does. Its secret comes in a cookie that we signed."""
    secret = sessions.half_secret()
    return f"half {services.digest(secret)}" if secret else caller()
