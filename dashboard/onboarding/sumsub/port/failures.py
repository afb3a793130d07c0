"""Why a question to Sumsub has no answer. None of these holds a token, an address with an applicant, or a body."""

from __future__ import annotations


class NoAnswer(Exception):
    """`sentence` is for people; `code` for logs and stored rows. `lasting`: asking again changes nothing."""

    code = "noAnswer"
    lasting = False

    def __init__(self, sentence: str) -> None:
        super().__init__(self.code)
        self.sentence = sentence


class NotReached(NoAnswer):
    """No connection, no answer in time, or a fault of theirs, as often as it was tried."""

    code = "notReached"


class Slower(NoAnswer):
    """Too many requests. `wait_seconds`: how long they ask us to wait."""

    code = "tooManyRequests"

    def __init__(self, sentence: str, wait_seconds: float) -> None:
        super().__init__(sentence)
        self.wait_seconds = wait_seconds


class NotAllowed(NoAnswer):
    """Token, key, permission or clock are wrong: the same for every applicant until somebody mends it."""

    code = "notAllowed"
    lasting = True


class NotKnown(NoAnswer):
    """Sumsub has no such applicant (any more)."""

    code = "notKnown"


class Unreadable(NoAnswer):
    """An answer that is none of the documented form."""

    code = "unreadable"


class Interrupted(NoAnswer):
    """The process ends while it waits."""

    code = "interrupted"
