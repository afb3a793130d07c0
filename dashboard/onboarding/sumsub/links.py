"""Where an applicant stands in Sumsub's own dashboard."""

from __future__ import annotations

from urllib.parse import quote

_DASHBOARD = "https://cockpit.sumsub.com/checkus#/applicant/{}/client/basicInfo"


def applicant(applicant_id: str) -> str:
    """The address; who opens it signs in there with an account of their own."""
    return _DASHBOARD.format(quote(applicant_id, safe=""))
