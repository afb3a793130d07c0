"""How long a code is not looked at after wrong ones: from the fifth on 15 minutes, doubling up to four hours."""

from __future__ import annotations

from datetime import timedelta

#: from this one on each wrong code brings a pause
FAILURES_BEFORE_PAUSE = 5
FIRST_PAUSE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=4)


def after(failures: int) -> timedelta | None:
    """The pause that so many wrong codes in a row bring; None before the fifth."""
    over = failures - FAILURES_BEFORE_PAUSE
    return min(FIRST_PAUSE * 2 ** min(over, 10), LONGEST_PAUSE) if over >= 0 else None
