"""How fast Sumsub is asked: so many requests a second for all threads of a process, and not before it allows again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pace:
    """`turn` gives the seconds to wait before the next request may leave, and takes that place unless it lies further
    away than `longest`."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = 1.0 / per_second
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def turn(self, *, longest: float) -> float:
        with self._lock:
            now = self._clock()
            place = max(self._next, now)
            if place - now <= longest:
                self._next = place + self._gap
            return place - now

    def hold(self, seconds: float) -> None:
        """Nobody asks for so long: they said so."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)
