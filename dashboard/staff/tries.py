"""Counting tries to sign in, before anything is checked and whether or not the address is known.

Two counts. Of an address *from one network*: five failures, then pauses that grow to 15 minutes. Of an address *from
wherever*: a bucket that holds 50 failures and loses ten an hour, so that many networks together guess no more than
that, and one alone never fills it. A network from which the person has signed in before is not held back by the
bucket: strangers elsewhere keep nobody out of the place where they work.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import session
from dashboard.staff import services
from dashboard.staff.models import SignInFailure, StaffMember, StaffSession
from dashboard.staff.services import ONE_FORGOTTEN_IN
from dashboard.web.networks import network_of

#: failures of one address from all networks together before strangers to it are refused
MOST_OF_ALL = 50
#: for so long a network is remembered as one from which the person signed in
NETWORK_KNOWN_FOR = timedelta(days=90)


def _is_known(email: str, network: str) -> bool:
    """Whether the person has worked from this network of late, under the password that they have now."""
    addresses = session().scalars(
        sa.select(StaffSession.address)
        .join(StaffMember, StaffMember.id == StaffSession.staff_id)
        .where(
            StaffMember.email_key == services.address_key(email),
            StaffSession.address.is_not(None),
            StaffSession.seen_at >= StaffMember.password_changed_at,
            StaffSession.seen_at > clock.now() - NETWORK_KNOWN_FOR,
        )
        .distinct()
    )
    return any(network_of(address) == network for address in addresses if address)


def _from(email: str, network: str) -> str:
    """The key of what was tried from one network; begins with that of the address."""
    key = services.address_key(email)
    return f"{services.digest(key)}:{services.digest(f'{key} from {network}')}"


def begin(email: str, *, network: str) -> datetime | None:
    """Count one try. Raises LockedOut, then nothing was counted.

    Gives the end of the pause that this try brings should it fail. The caller commits before the password is checked:
    of many tries at once only the first few are. Both rows are locked in one order, the network's first.
    """
    pause = services.count_try(_from(email, network))
    if _is_known(email, network):
        return pause
    moment = clock.now()
    row = services.failures_of(services.digest(services.address_key(email)))
    forgotten = max(0, (moment - row.last_failure_at) // ONE_FORGOTTEN_IN)
    failures = max(0, row.failures - forgotten)
    # forgetting goes on from the last whole step, so that tries in between do not put it off
    since = row.last_failure_at + forgotten * ONE_FORGOTTEN_IN if failures else moment
    if failures >= MOST_OF_ALL:
        raise services.LockedOut(since + ONE_FORGOTTEN_IN)
    row.failures, row.last_failure_at = failures + 1, since
    return pause


def forget(email: str, *, network: str) -> None:
    """It was right: what was counted from this network is over, and no longer part of the whole."""
    counted = session().scalar(
        sa.delete(SignInFailure)
        .where(SignInFailure.email_hash == _from(email, network))
        .returning(SignInFailure.failures)
    )
    whole = session().get(
        SignInFailure, services.digest(services.address_key(email)), with_for_update=True, populate_existing=True
    )
    if whole is None or not counted or _is_known(email, network):
        return
    whole.failures -= min(counted, whole.failures)
    if whole.failures == 0:
        session().delete(whole)
