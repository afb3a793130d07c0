"""A message to one person, checked when it is made: nothing in it can become a header or a terminal command."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from dashboard.errors import FieldError, Invalid

LONGEST_SUBJECT = 200
LONGEST_TEXT = 20_000
"""Characters."""


def _breaks_lines(text: str) -> bool:
    """Whether the text holds a control character, a line or paragraph separator, or half a surrogate pair."""
    return any(unicodedata.category(letter) in {"Cc", "Zl", "Zp", "Cs"} for letter in text)


def mailbox(address: str) -> str:
    """The address as mail servers take it: an international domain in its ASCII form.

    Raises EmailNotValidError. The rules of `email_validator`; nobody asks whether the mailbox exists.
    """
    found = validate_email(address, check_deliverability=False, globally_deliverable=False, test_environment=True)
    return f"{found.local_part}@{found.ascii_domain}"


def _writable(address: str) -> bool:
    try:
        mailbox(address)
    except EmailNotValidError:
        return False
    return True


# its representation is left out: addressee and codes must not reach a log by accident
@dataclass(frozen=True, repr=False)
class Message:
    """Plain text to one e-mail address. `subject` is one line; `text` has lines that end in a newline.

    Raises Invalid: `to` (rule email), `subject` and `text` (rules required, tooLong, characters).
    """

    to: str
    subject: str
    text: str

    def __post_init__(self) -> None:
        errors = []
        if not _writable(self.to):
            errors.append(FieldError("to", "Give one e-mail address, such as name@bank.example.", "email"))
        if not self.subject.strip():
            errors.append(FieldError("subject", "Give a subject.", "required"))
        elif len(self.subject) > LONGEST_SUBJECT:
            errors.append(FieldError("subject", f"Use at most {LONGEST_SUBJECT} characters.", "tooLong"))
        if _breaks_lines(self.subject):
            errors.append(FieldError("subject", "Write one line without control characters.", "characters"))
        if not self.text.strip():
            errors.append(FieldError("text", "Write some text.", "required"))
        elif len(self.text) > LONGEST_TEXT:
            errors.append(FieldError("text", f"Use at most {LONGEST_TEXT:,} characters.", "tooLong"))
        if _breaks_lines(self.text.replace("\n", "").replace("\t", "")):
            errors.append(FieldError("text", "Leave out control characters; lines end in a newline.", "characters"))
        if errors:
            raise Invalid(errors)
