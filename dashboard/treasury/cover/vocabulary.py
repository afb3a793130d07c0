"""Words of covers, as tables and requests spell them."""

from __future__ import annotations

from enum import StrEnum


class CoverKind(StrEnum):
    """How relevant funds may be safeguarded otherwise than in an account: assets that are secure, liquid and of low
    risk, or a promise of an insurer or a bank (EMRs 2011, regulations 21 and 22; PSRs 2017, regulation 23)."""

    SECURE_ASSETS = "secureAssets"
    GUARANTEE = "guarantee"
    INSURANCE = "insurance"


KIND_LABELS = {
    CoverKind.SECURE_ASSETS: "Secure assets",
    CoverKind.GUARANTEE: "Guarantee",
    CoverKind.INSURANCE: "Insurance policy",
}

ADD, CHANGE = "treasury.cover.add", "treasury.cover.change"
OBJECT = "treasury_cover"
