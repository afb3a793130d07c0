"""Who can decide a request, in words."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from uuid import UUID

from flask import current_app

from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.settings import Settings
from dashboard.staff import queries as staff

#: names of one role before the rest is a number
MOST_NAMES = 6


def who_can_decide(permission: Permission, *, maker_senior: bool, never: set[UUID | None]) -> str:
    """`Senior officers: R. Kask (signed in), T. Mets`. `never` are the maker and the owner of a token that asked."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    idle = timedelta(minutes=settings.session_idle_minutes)
    people = staff.members_with(permission, senior_only=not maker_senior, idle=idle)
    left = sorted((p for p in people if p.id not in never), key=lambda p: list(Role).index(Role(p.role)), reverse=True)
    if not left:
        return "nobody now; ask an administrator for a senior officer"
    parts = []
    for role, members in groupby(left, key=lambda p: p.role):
        names = [f"{p.name} (signed in)" if p.signed_in else p.name for p in members]
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        parts.append(f"{ROLES[Role(role)].plural}: {', '.join(names[:MOST_NAMES])}{more}")
    return "; ".join(parts)
