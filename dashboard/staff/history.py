"""How somebody signed in of late, from the evidence: for the person, who alone can tell that it was not them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from dashboard import clock
from dashboard.audit import queries as audit
from dashboard.staff import browsers
from dashboard.staff.half_sign_ins import LIVES

SHOWN = 10
#: older than this is of no use to somebody who wonders
REACHES_BACK = timedelta(days=90)
_SIGNED_IN, _PASSWORD_RIGHT = "staff.signed_in", "staff.password_right"
_REFUSALS = {
    "staff.sign_in_refused": ("wait", "Wrong password"),
    "staff.locked_out": ("stop", "Locked out after wrong passwords"),
    "staff.code_refused": ("wait", "Wrong code"),
    "staff.step_up_refused": ("wait", "Asked again, and not shown"),
    "staff.password_change_refused": ("wait", "Wrong password when changing it"),
}
_WORDS = {_SIGNED_IN: ("ok", "Signed in"), _PASSWORD_RIGHT: ("stop", "Right password, no code after it"), **_REFUSALS}


@dataclass(frozen=True)
class Trace:
    """One line: when, what in words and its tone, by what, from where. `alarming`: somebody else may know the
    password."""

    at: datetime
    tone: str
    what: str
    how: str | None
    address: str | None
    device: str | None
    alarming: bool = False


def recent(staff_id: UUID) -> Sequence[Trace]:
    """The last few, newest first. A right password is a line of its own where no code followed it; these are kept
    however many tries came after: a thief could otherwise push them off the page by wrong passwords."""
    since = clock.now() - REACHES_BACK
    signing_in = _traces(staff_id, (_SIGNED_IN, _PASSWORD_RIGHT), since, 4 * SHOWN)
    completed = {trace.after.get("half") for trace in signing_in if trace.action == _SIGNED_IN}
    stopped, other = [], [_line(trace) for trace in _traces(staff_id, tuple(_REFUSALS), since, SHOWN)]
    for trace in signing_in:
        if trace.action == _SIGNED_IN:
            other.append(_line(trace))
        # else it led to a sign-in, or the person is typing the code at this moment
        elif trace.after.get("half") not in completed and trace.at <= clock.now() - LIVES:
            stopped.append(_line(trace))
    newest = sorted(other, key=lambda line: line.at, reverse=True)[: max(3, SHOWN - len(stopped))]
    return sorted([*stopped, *newest], key=lambda line: line.at, reverse=True)


def _traces(staff_id: UUID, actions: Sequence[str], since: datetime, limit: int) -> Sequence[audit.Trace]:
    return audit.traces("staff_member", staff_id, actions=actions, since=since, limit=limit)


def _line(trace: audit.Trace) -> Trace:
    tone, what = _WORDS[trace.action]
    how = trace.after.get("by")
    return Trace(
        at=trace.at,
        tone=tone,
        what=what,
        how=f"by {how}" if how else None,
        address=trace.address,
        device=browsers.in_words(trace.after.get("browser")),
        alarming=trace.action == _PASSWORD_RIGHT,
    )
