"""Asking Sumsub: signed GETs, tried again where that can help, never faster than agreed.

Only questions are asked, so asking twice harms nobody. Nothing that names an applicant, a token or an answer's body
is logged or stands in an error.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx

from dashboard.onboarding.sumsub.port import answers, signing
from dashboard.onboarding.sumsub.port.answers import Answer
from dashboard.onboarding.sumsub.port.failures import (
    Interrupted,
    NoAnswer,
    NotAllowed,
    NotKnown,
    NotReached,
    Slower,
    Unreadable,
)
from dashboard.onboarding.sumsub.port.pace import Pace
from dashboard.settings import SumsubAccess
from dashboard.web.logs import log

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0
#: of an answer that comes in drops
WHOLE_SECONDS = 30.0
#: an applicant with many documents has some ten kilobytes
LARGEST_ANSWER = 1024 * 1024
TRIES = 3
#: before the second try, doubled for each further one, and scattered so that processes do not ask in step
FIRST_PAUSE_SECONDS = 0.5
#: a longer wait is the caller's to plan
LONGEST_PAUSE_SECONDS = 30.0
#: where they ask us to wait and do not say how long
UNSAID_WAIT_SECONDS = 5.0
#: no longer one is believed
LONGEST_WAIT_SECONDS = 3600.0

#: identifiers that go into a path: whatever else it is, it is no path
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.~-]{1,200}", re.ASCII)

# it writes the address of each request, and an applicant stands in ours
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

#: waits so many seconds and gives whether to stop
Wait = Callable[[float], bool]


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


class Sumsub:
    """One client for all threads of a process; connections are kept and shared."""

    def __init__(
        self,
        access: SumsubAccess,
        *,
        pace: Pace,
        wait: Wait = _sleep,
        now: Callable[[], float] = time.time,
        answer_seconds: float = ANSWER_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._access = access
        self._pace = pace
        self._wait = wait
        self._now = now
        self._http = httpx.Client(
            base_url=access.base_url,
            timeout=httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=4),
            follow_redirects=False,
            transport=transport,
        )

    def waiting_by(self, wait: Wait) -> Sumsub:
        """The same client with another way to wait: work in the background waits for the end of its process too."""
        copy = object.__new__(Sumsub)
        copy.__dict__.update(self.__dict__, _wait=wait)
        return copy

    def close(self) -> None:
        self._http.close()

    def status(self, applicant_id: str) -> Answer:
        """The review as it stands; no personal data travels. Raises NoAnswer."""
        body, at = self._get(f"/resources/applicants/{_in_path(applicant_id)}/status")
        return answers.status(body, asked_at=at)

    def applicant(self, applicant_id: str) -> Answer:
        """The same with whose applicant it is. The answer holds personal data, which is dropped at once.

        Raises NoAnswer.
        """
        body, at = self._get(f"/resources/applicants/{_in_path(applicant_id)}/one")
        found = answers.applicant(body, asked_at=at)
        if found.applicant_id != applicant_id:
            raise Unreadable("Sumsub's answer is about another applicant.")
        return found

    def applicant_of(self, external_user_id: str) -> Answer:
        """The applicant of one of our clients. Raises NoAnswer; NotKnown where there is none."""
        body, at = self._get(f"/resources/applicants/-;externalUserId={_in_path(external_user_id)}/one")
        found = answers.applicant(body, asked_at=at)
        if found.external_user_id != external_user_id:
            raise Unreadable("Sumsub's answer is about another client.")
        return found

    def _get(self, target: str) -> tuple[bytes, datetime]:
        last: NoAnswer = NotReached("Sumsub did not answer.")
        for attempt in range(1, TRIES + 1):
            ahead = self._pace.turn(longest=LONGEST_PAUSE_SECONDS)
            if ahead > LONGEST_PAUSE_SECONDS:
                raise Slower("Sumsub asked us to wait.", ahead)
            self._pause(ahead)
            try:
                return self._once(target)
            except Slower as slower:
                self._pace.hold(slower.wait_seconds)
                last = slower
                if slower.wait_seconds > LONGEST_PAUSE_SECONDS:
                    raise
            except NotReached as failure:
                last = failure
                if attempt < TRIES:
                    pause = FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
                    self._pause(pause * random.uniform(0.5, 1.0))  # noqa: S311
            # the code, never the address: an applicant stands in it
            log.warning("sumsub asked in vain", reason=last.code, attempt=attempt)
        raise last

    def _pause(self, seconds: float) -> None:
        if seconds > 0 and self._wait(seconds):
            raise Interrupted("The process ends.")

    def _once(self, target: str) -> tuple[bytes, datetime]:
        """One request, signed for its own moment. Gives the body and Sumsub's clock."""
        access, seconds = self._access, int(self._now())
        request = self._http.build_request(
            "GET",
            target,
            headers={
                **signing.headers(access.app_token, access.secret_key, seconds=seconds, method="GET", target=target),
                "Accept": "application/json",
            },
        )
        # what is signed must be what is sent
        if request.url.raw_path.decode() != target:
            raise Unreadable("The applicant's id cannot be asked for.")
        try:
            answer = self._http.send(request, stream=True)
            try:
                body = _read(answer)
            finally:
                answer.close()
        except httpx.HTTPError as error:
            raise NotReached(f"Sumsub could not be reached ({type(error).__name__}).") from None
        at = _moment_of(answer)
        _refuse(answer, skew=abs(seconds - at.timestamp()) if at else None)
        return body, at or datetime.fromtimestamp(self._now(), UTC)


def _read(answer: httpx.Response) -> bytes:
    """No more of it than an answer may be, and no longer. Raises Unreadable, NotReached."""
    parts: list[bytes] = []
    size, last = 0, time.monotonic() + WHOLE_SECONDS
    for part in answer.iter_bytes(chunk_size=64 * 1024):
        size += len(part)
        if time.monotonic() > last:
            raise NotReached("Sumsub's answer did not end.")
        if size > LARGEST_ANSWER:
            raise Unreadable("Sumsub's answer is larger than any that is known.")
        parts.append(part)
    return b"".join(parts)


def _moment_of(answer: httpx.Response) -> datetime | None:
    """Sumsub's clock, from the answer's Date."""
    try:
        found = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _refuse(answer: httpx.Response, *, skew: float | None) -> None:
    """Raises what the status says; nothing for 200."""
    status = answer.status_code
    if status == 200:
        return
    if status == 404:
        raise NotKnown("Sumsub has no such applicant.")
    if status == 429:
        raise Slower("Sumsub asks us to be slower.", _asked_to_wait(answer))
    if status in {401, 403}:
        if status == 401 and skew is not None and skew > signing.SKEW_SECONDS:
            raise NotAllowed(
                f"Sumsub refuses our requests: this machine's clock is {skew:.0f} seconds off. Set it right."
            )
        said = "signature or token are wrong" if status == 401 else "the token may not view applicants"
        raise NotAllowed(f"Sumsub refuses our requests: {said}. Look at SUMSUB_APP_TOKEN and SUMSUB_SECRET_KEY.")
    if status >= 500 or status == 408:
        raise NotReached(f"Sumsub answered with an error of its own ({status}).")
    raise Unreadable(f"Sumsub answered in a way that is not known ({status}).")


def _asked_to_wait(answer: httpx.Response) -> float:
    """Retry-After, in seconds or as a date."""
    raw = answer.headers.get("Retry-After", "").strip()
    if raw.isascii() and raw.isdigit():
        return min(float(raw), LONGEST_WAIT_SECONDS) if len(raw) < 10 else LONGEST_WAIT_SECONDS
    try:
        until = parsedate_to_datetime(raw)
        now = _moment_of(answer) or datetime.now(UTC)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT_SECONDS)
    except (TypeError, ValueError):
        return UNSAID_WAIT_SECONDS


def _in_path(identifier: str) -> str:
    if not _IDENTIFIER.fullmatch(identifier) or identifier in {".", ".."}:
        raise Unreadable("This is no identifier that Sumsub gives.")
    return quote(identifier, safe="")
