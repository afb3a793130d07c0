"""Reject labels of Sumsub in words, for staff. The list is open: a label that is not known here keeps its own name.

Source: Sumsub's documentation of rejection reasons, and what was seen in its events.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

WORDS = {
    "ADDITIONAL_DOCUMENT_REQUIRED": "Another document is needed",
    "ADVERSE_MEDIA": "Adverse media",
    "AGE_REQUIREMENT_MISMATCH": "Not of the required age",
    "APPLICANT_INTERRUPTED_INTERVIEW": "The applicant broke the interview off",
    "BAD_AVATAR": "Profile picture cannot be used",
    "BAD_FACE_MATCHING": "Face and document do not match",
    "BAD_PROOF_OF_ADDRESS": "Proof of address cannot be used",
    "BAD_PROOF_OF_IDENTITY": "Proof of identity cannot be used",
    "BAD_PROOF_OF_PAYMENT": "Proof of payment cannot be used",
    "BAD_SELFIE": "Selfie cannot be used",
    "BAD_VIDEO_SELFIE": "Video selfie cannot be used",
    "BLACK_AND_WHITE": "Black and white picture",
    "BLACKLIST": "On a block list",
    "BLOCKLIST": "On a block list",
    "CHECK_UNAVAILABLE": "The check could not be made",
    "COMPANY_NOT_DEFINED_BENEFICIARIES": "Beneficial owners are not named",
    "COMPANY_NOT_DEFINED_REPRESENTATIVES": "Representatives are not named",
    "COMPANY_NOT_DEFINED_STRUCTURE": "Ownership structure is not shown",
    "COMPANY_NOT_VALIDATED_BENEFICIARIES": "Beneficial owners are not verified",
    "COMPANY_NOT_VALIDATED_REPRESENTATIVES": "Representatives are not verified",
    "COMPANY_PROBLEMATIC_STRUCTURE": "Somebody in the ownership structure was rejected",
    "COMPROMISED_PERSONS": "On a list of wanted or compromised persons",
    "CONNECTION_INTERRUPTED": "The connection broke off",
    "CRIMINAL": "Convicted, or wanted by law enforcement",
    "DB_DATA_MISMATCH": "Data differ from the official register",
    "DB_DATA_NOT_FOUND": "Not found in the official register",
    "DIGITAL_DOCUMENT": "Picture of a screen instead of the document",
    "DOCUMENT_DAMAGED": "Document is damaged",
    "DOCUMENT_DEPRIVED": "Document has been withdrawn",
    "DOCUMENT_MISSING": "Document is missing",
    "DOCUMENT_PAGE_MISSING": "A page of the document is missing",
    "DOCUMENT_TEMPLATE": "Document made from a template",
    "DUPLICATE": "Applied before",
    "EXPERIENCE_REQUIREMENT_MISMATCH": "Lacks the required experience",
    "EXPIRATION_DATE": "Document has expired, or soon will",
    "EXTERNAL_DECISION_REJECTION": "Rejected by an outside decision",
    "FORGERY": "Forgery suspected",
    "FRAUDULENT_LIVENESS": "Liveness check was deceived",
    "FRAUDULENT_PATTERNS": "Pattern of fraud",
    "GRAPHIC_EDITOR": "Picture was edited",
    "ID_INVALID": "Document is not valid",
    "INCOMPATIBLE_LANGUAGE": "Document is in a language that is not accepted",
    "INCOMPLETE_DOCUMENT": "Part of the document is not visible",
    "INCONSISTENT_PROFILE": "Details contradict each other",
    "INCORRECT_SOCIAL_NUMBER": "Social number is wrong",
    "LOW_QUALITY": "Picture is of low quality",
    "NOT_ALL_CHECKS_COMPLETED": "Not all checks were completed",
    "NOT_DOCUMENT": "Picture shows no document",
    "OK": "No objection",
    "PEP": "Politically exposed person",
    "PROBLEMATIC_APPLICANT_DATA": "Details differ from those of the documents",
    "REGULATIONS_VIOLATIONS": "Rules do not allow this applicant",
    "REQUESTED_DATA_MISMATCH": "Details differ from those asked for",
    "SANCTIONS": "On a sanctions list",
    "SCREENSHOTS": "Screenshots instead of photos",
    "SELFIE_MISMATCH": "Selfie shows somebody else than the document",
    "SPAM": "Too many or senseless uploads",
    "THIRD_PARTY_INVOLVED": "A third party was involved",
    "UNFILLED_ID": "Document is not filled in or signed",
    "UNSATISFACTORY_PHOTOS": "Photos cannot be used",
    "UNSUITABLE_DOCUMENT": "Document is not of an accepted kind",
    "UNSUITABLE_ENV": "Surroundings did not allow the check",
    "UNSUPPORTED_LANGUAGE": "The applicant's language is not supported",
    "VERIFICATION_INTERVIEW_FAILED": "Interview was not passed",
    "WRONG_ADDRESS": "Address differs from that of the document",
    "WRONG_USER_REGION": "Country or region is not served",
}


@dataclass(frozen=True)
class Label:
    """One reject label: the text of Sumsub's, and what it means; `known` False: it is not in the list above."""

    code: str
    words: str
    known: bool


def in_words(codes: Sequence[str]) -> list[Label]:
    """The labels in their order, each once."""
    found = []
    for code in dict.fromkeys(codes):
        words = WORDS.get(code.upper())
        found.append(Label(code, words or code.replace("_", " ").strip().capitalize(), words is not None))
    return found


def listed(codes: Sequence[str]) -> str:
    """`Forgery suspected (FORGERY), Adverse media (ADVERSE_MEDIA)`"""
    return ", ".join(f"{label.words} ({label.code})" for label in in_words(codes))


_LABELLED = re.compile(r"(?P<said>.*\(RED FINAL\)): (?P<codes>[A-Z0-9_]+(?:, [A-Z0-9_]+)*)")


def in_comment(text: str) -> str:
    """The comment of a block that a failed verification placed, its labels in words; any other text as it is."""
    found = _LABELLED.fullmatch(text)
    return f"{found['said']}: {listed(found['codes'].split(', '))}" if found else text
