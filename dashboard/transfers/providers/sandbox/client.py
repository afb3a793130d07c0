"""Talking to the sandbox: instructions by POST, questions by GET. It knows each end-to-end id once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import httpx
import simplejson

from dashboard.money import Money, NotRepresentable
from dashboard.transfers.providers.port import Credit, Instruction, Lost, NotSent, Outcome, Report, Timing, plausible

BATCH = 20
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0

_OUTCOMES = {
    "accepted": Outcome.ACCEPTED,
    "executed": Outcome.EXECUTED,
    "rejected": Outcome.REJECTED,
}


class Malformed(Exception):
    """A message of the sandbox that cannot be read."""


class Sandbox:
    """One client for all threads of a process; connections are kept and shared."""

    returns_by_reference: ClassVar[bool] = True

    def __init__(
        self,
        key: str,
        url: str,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        batch: int = BATCH,
        timing: Timing | None = None,
    ) -> None:
        self.key = key
        self.batch = batch
        self.timing = timing or Timing()
        self.longest_seconds = CONNECT_SECONDS + answer_seconds
        self._http = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=8),
            # the sandbox is asked directly, whatever proxy the environment names for the outside
            trust_env=False,
        )

    def submit(self, instructions: Sequence[Instruction]) -> Sequence[Report]:
        """Hand instructions over, all or none of them. Raises NotSent, Lost."""
        body = simplejson.dumps({"instructions": [as_json(each) for each in instructions]}, use_decimal=True)
        answer = self._asked(
            self._http.build_request(
                "POST", "/instructions", content=body, headers={"Content-Type": "application/json"}
            )
        )
        if answer.status_code in {429, 503} or 400 <= answer.status_code < 500:
            # said before anything was taken
            raise NotSent(f"status {answer.status_code}")
        if answer.status_code != 200:
            raise Lost(f"status {answer.status_code}")
        try:
            reports = [report(each) for each in _document(answer)["reports"]]
        except (Malformed, KeyError, TypeError):
            raise Lost("unreadable answer") from None
        if {each.end_to_end_id for each in reports} != {each.end_to_end_id for each in instructions}:
            raise Lost("the answer is about other instructions")
        return reports

    def ask(self, end_to_end_id: str) -> Report | None:
        """What became of it. Raises NotSent where nobody answers."""
        try:
            answer = self._asked(self._http.build_request("GET", f"/instructions/{end_to_end_id}"))
        except Lost as lost:
            raise NotSent(str(lost)) from None
        if answer.status_code == 404:
            return Report(end_to_end_id, Outcome.NOT_FOUND)
        if answer.status_code != 200:
            raise NotSent(f"status {answer.status_code}")
        try:
            found = report(_document(answer))
        except Malformed:
            raise NotSent("unreadable answer") from None
        if found.end_to_end_id != end_to_end_id:
            raise NotSent("the answer is about another instruction")
        return found

    def _asked(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._http.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            # no connection stood: nothing was sent
            raise NotSent(type(error).__name__) from None
        except httpx.HTTPError as error:
            raise Lost(type(error).__name__) from None


def as_json(instruction: Instruction) -> dict[str, Any]:
    """An instruction as the sandbox takes it."""
    return {
        "endToEndId": instruction.end_to_end_id,
        "type": instruction.type.value,
        "currency": instruction.currency,
        "amount": Money(instruction.amount_minor, instruction.currency).amount,
        "debtor": {"name": instruction.debtor_name, "account": instruction.debtor_account},
        "creditor": {
            "name": instruction.creditor_name,
            "account": instruction.creditor_account,
            "bic": instruction.creditor_bic,
            "country": instruction.creditor_country,
        },
        "remittance": instruction.remittance,
        "requestedOn": instruction.requested_on.isoformat(),
        **({"returns": instruction.returns} if instruction.returns else {}),
    }


def _document(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        found = simplejson.loads(answer.text, use_decimal=True)
    except ValueError:
        raise Malformed("no JSON") from None
    if not isinstance(found, dict):
        raise Malformed("no object")
    return found


def _said(message: Mapping[str, Any], name: str) -> str | None:
    value = message.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or "\x00" in value:
        raise Malformed(name)
    return value[:2000]


def _moment(said: str | None) -> datetime | None:
    if said is None:
        return None
    try:
        read = datetime.fromisoformat(said)
    except ValueError:
        raise Malformed("at") from None
    if read.tzinfo is None:
        raise Malformed("at")
    return read


def report(message: Mapping[str, Any]) -> Report:
    """What the sandbox says of an instruction, in an answer or in a callback. Raises Malformed."""
    end_to_end_id, outcome = _said(message, "endToEndId"), _OUTCOMES.get(str(message.get("status")))
    if not end_to_end_id or outcome is None:
        raise Malformed("status")
    return Report(
        end_to_end_id=end_to_end_id,
        outcome=outcome,
        provider_reference=_said(message, "reference"),
        code=_said(message, "code"),
        reason=_said(message, "reason"),
        at=_moment(_said(message, "at")),
    )


def credit(message: Mapping[str, Any], *, provider: str) -> Credit:
    """Money that came in, as a callback tells it. Raises Malformed."""
    reference, currency = _said(message, "reference"), _said(message, "currency")
    booked_at = _moment(_said(message, "bookedAt"))
    amount, debtor = message.get("amount"), message.get("debtor") or {}
    if not reference or not currency or not isinstance(debtor, dict) or booked_at is None or not plausible(booked_at):
        raise Malformed("credit")
    try:
        minor = Money.of(amount, currency).minor_units  # type: ignore[arg-type]
    except (NotRepresentable, TypeError, ValueError, ArithmeticError):
        raise Malformed("amount") from None
    if isinstance(amount, bool | str | float) or minor <= 0:
        raise Malformed("amount")
    end_to_end_id = _said(message, "endToEndId")
    return Credit(
        provider=provider,
        provider_reference=reference,
        currency=currency,
        amount_minor=minor,
        creditor_account=_said(message, "creditorAccount"),
        creditor_name=_said(message, "creditorName"),
        booked_at=booked_at,
        debtor_name=_said(debtor, "name"),
        debtor_account=_said(debtor, "account"),
        debtor_bic=_said(debtor, "bic"),
        debtor_country=_said(debtor, "country"),
        remittance=_said(message, "remittance"),
        end_to_end_id=end_to_end_id,
        references=tuple(each for each in (reference, end_to_end_id) if each),
        value_date=booked_at.date(),
        reversal=message.get("reversal") is True,
        returns=_said(message, "returns"),
        raw=dict(message),
    )
