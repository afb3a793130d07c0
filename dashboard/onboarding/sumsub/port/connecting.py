"""Whether Sumsub's API is connected in this installation, and the one client of this process."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta

from dashboard.errors import Refused
from dashboard.onboarding.sumsub.port.client import Sumsub
from dashboard.onboarding.sumsub.port.pace import Pace
from dashboard.settings import Settings, SumsubAccess

OFF = (
    "Sumsub's API is not connected. An administrator sets it up. Nothing is asked, confirmed or compared; what Sumsub"
    " sends is processed as it comes."
)


@dataclass(frozen=True)
class Connection:
    """What the settings say. `access` None: the feature is off."""

    access: SumsubAccess | None = None
    per_second: int = 10
    confirms: bool = True
    silent: timedelta = timedelta(minutes=90)

    @property
    def is_on(self) -> bool:
        return self.access is not None

    @property
    def confirms_approvals(self) -> bool:
        """Whether an approval told by a webhook waits until the API says the same."""
        return self.is_on and self.confirms

    @property
    def sandbox(self) -> bool:
        """What the token reaches are applicants of Sumsub's sandbox."""
        return self.access is not None and self.access.app_token.startswith("sbx:")


class _Here:
    lock = threading.Lock()
    connection = Connection()
    client: Sumsub | None = None


def install(settings: Settings) -> None:
    """Called by app.py."""
    with _Here.lock:
        _Here.connection = Connection(
            access=settings.sumsub_access,
            per_second=settings.sumsub_requests_per_second,
            confirms=settings.sumsub_confirm_approvals,
            silent=timedelta(minutes=settings.sumsub_silent_minutes),
        )
        _Here.client = None


def connection() -> Connection:
    """What this installation was told."""
    return _Here.connection


def client() -> Sumsub:
    """The client of this process, made when it is first needed. Raises Refused `sumsubNotConnected`."""
    with _Here.lock:
        if _Here.connection.access is None:
            raise Refused(OFF, code="sumsubNotConnected")
        if _Here.client is None:
            _Here.client = Sumsub(_Here.connection.access, pace=Pace(_Here.connection.per_second))
        return _Here.client
