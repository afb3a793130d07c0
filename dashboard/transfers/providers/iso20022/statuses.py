"""What a bank says of our payments: pain.002 of any version, on the level of group, payment and transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from dashboard.transfers.providers.iso20022.reading import Unreadable, children, drop, format_of, text, walk, written
from dashboard.transfers.providers.port import Outcome, Report

#: what each status means to us. PART says nothing of a single transfer, ACWC is taken as accepted.
MEANINGS = {
    "ACCP": Outcome.ACCEPTED,
    "ACTC": Outcome.ACCEPTED,
    "ACSP": Outcome.ACCEPTED,
    "ACWC": Outcome.ACCEPTED,
    "ACFC": Outcome.ACCEPTED,
    "RCVD": Outcome.ACCEPTED,
    "PDNG": Outcome.ACCEPTED,
    "ACSC": Outcome.EXECUTED,
    "ACCC": Outcome.EXECUTED,
    "RJCT": Outcome.REJECTED,
    "CANC": Outcome.REJECTED,
}
LONGEST_REASON = 300


@dataclass(frozen=True)
class Said:
    """One status. `report` of a single transfer; `message_id` of all of a file of ours; `payment_id` of a part."""

    status: str
    code: str | None
    reason: str | None
    report: Report | None = None
    message_id: str | None = None
    payment_id: str | None = None
    #: as the bank wrote it
    source: str = ""


def statuses(path: Path) -> Iterator[Said]:
    """The statuses of a file: single transfers first as they come, what is said of all after them.

    A status of a group or a part counts for the transfers of which nothing is said themselves. Raises Unreadable.
    """
    if format_of(path) != "pain.002":
        raise Unreadable("This is no payment status report.")
    original: str | None = None
    above: Said | None = None
    for name, element in walk(path, frozenset({"OrgnlGrpInfAndSts", "TxInfAndSts", "OrgnlPmtInfAndSts"})):
        if name == "OrgnlGrpInfAndSts":
            original = text(element, "OrgnlMsgId")
            status = text(element, "GrpSts")
            if status is not None and original is not None:
                code, reason = _reason(element)
                above = Said(status, code, reason, message_id=original, source=written(element))
        elif name == "TxInfAndSts":
            end_to_end, status = text(element, "OrgnlEndToEndId"), text(element, "TxSts")
            if status is not None:
                code, reason = _reason(element)
                outcome = MEANINGS.get(status)
                report = None
                if end_to_end is not None and outcome is not None:
                    report = Report(end_to_end, outcome, text(element, "AcctSvcrRef"), code, reason)
                yield Said(status, code, reason, report=report, source=written(element))
            drop(element)
        else:
            status, part = text(element, "PmtInfSts"), text(element, "OrgnlPmtInfId")
            if status is not None and part is not None:
                code, reason = _reason(element)
                yield Said(status, code, reason, message_id=original, payment_id=part, source=written(element)[:2000])
            drop(element)
    if above is not None:
        yield above


def _reason(element: etree._Element) -> tuple[str | None, str | None]:
    code, words = None, []
    for each in children(element, "StsRsnInf"):
        code = code or text(each, "Rsn", "Cd") or text(each, "Rsn", "Prtry")
        words += [said for line in children(each, "AddtlInf") if (said := text(line))]
    return code, " ".join(words)[:LONGEST_REASON] or None
