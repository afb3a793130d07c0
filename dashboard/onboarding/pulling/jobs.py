"""Background work: asking what is due, and comparing everything. Network first, then a short transaction each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.background.kinds import Kind
from dashboard.background.models import BackgroundJob
from dashboard.background.runner import Canceled, Run, Stopping
from dashboard.background.services import LeaseLost
from dashboard.database import transaction
from dashboard.errors import Refused
from dashboard.onboarding.pulling import queries
from dashboard.onboarding.pulling.models import SumsubQuestion
from dashboard.onboarding.pulling.services import comparing, questions, taking
from dashboard.onboarding.pulling.services.comparing import Counts
from dashboard.onboarding.pulling.vocabulary import ASK, COMPARE, Outcome, Reason
from dashboard.onboarding.sumsub.port import connecting
from dashboard.onboarding.sumsub.port.answers import Answer
from dashboard.onboarding.sumsub.port.client import Sumsub
from dashboard.onboarding.sumsub.port.failures import Interrupted, NoAnswer, NotAllowed, NotKnown, NotReached, Slower
from dashboard.web.logs import log

#: applicants that are asked about together, by so many threads; the pace is that of the client
BATCH, THREADS = 20, 4
#: questions without an answer in a row, after which nobody seems to be there
IN_VAIN = 3
#: until a refused token is tried again by itself
REFUSED_PAUSE = timedelta(minutes=30)
#: how long a comparison waits for Sumsub to come back, altogether and at once
PATIENCE_SECONDS, LONGEST_WAIT_SECONDS = 1800.0, 300.0


def _client(run: Run) -> Sumsub:
    """Raises Refused where the feature is off."""
    return connecting.client().waiting_by(run.stop.wait)


def _fetch(sumsub: Sumsub, question: SumsubQuestion) -> Answer:
    """The lightest question that answers it: personal data travel only where it must be sure whose applicant it is."""
    if question.applicant_id is None:
        return sumsub.applicant_of(str(question.client_id))
    if question.reason == Reason.CONFIRM:
        return sumsub.applicant(question.applicant_id)
    return sumsub.status(question.applicant_id)


def ask(run: Run) -> dict[str, Any]:
    """Ask what is due, one question after the other, until nothing is due or Sumsub does not answer."""
    sumsub, by = _client(run), run.by
    counts = {outcome.value: 0 for outcome in Outcome}
    done = in_vain = 0
    while in_vain < IN_VAIN:
        with transaction():
            due = questions.next_due(limit=1)
            run.keep(done=done)
        if not due:
            break
        [question] = due
        answer: Answer | NoAnswer
        try:
            answer = _fetch(sumsub, question)
        except Interrupted:
            raise Stopping from None
        except NoAnswer as failure:
            answer = failure
        if isinstance(answer, NotAllowed | Slower):
            _put_off(answer)
            break
        in_vain = in_vain + 1 if isinstance(answer, NotReached) else 0
        done += 1
        outcome = _kept(run, partial(_answered, question.id, answer, by=by), done=done)
        if outcome is _BROKEN:
            with transaction():
                waiting = questions.waiting(question.id)
                outcome = None if waiting is None or questions.again(waiting, "processing") else Outcome.GIVEN_UP
        if isinstance(outcome, Outcome):
            counts[outcome.value] += 1
    return {"asked": done, **counts}


#: what was to be done broke, and nothing of it stays
_BROKEN = object()


def _kept(run: Run, do: Callable[[], Any], **progress: Any) -> Any:
    """Do it and say how far it is, in one transaction. What breaks is one applicant's, and does not stop the others;
    what ends the work passes."""
    try:
        with transaction():
            result = do()
            run.keep(**progress)
    except (LeaseLost, Canceled, Stopping, sa.exc.OperationalError):
        raise
    except Exception as error:
        # the type, not the message: it may hold what somebody typed
        log.error("verification", step="asking", error=type(error).__name__)
        return _BROKEN
    return result


def _put_off(failure: NotAllowed | Slower) -> None:
    """Nobody is asked for a while. Raises Refused where a person must mend something."""
    pause = timedelta(seconds=failure.wait_seconds) if isinstance(failure, Slower) else REFUSED_PAUSE
    with transaction():
        questions.put_off(clock.now() + pause)
    if isinstance(failure, NotAllowed):
        raise Refused(failure.sentence, code=failure.code)


def _answered(question_id: UUID, answer: Answer | NoAnswer, *, by: Actor) -> Outcome | None:
    """None: it is asked again later, or somebody else had the answer first."""
    question = questions.waiting(question_id)
    if question is None:
        return None
    if isinstance(answer, NotKnown):
        return taking.question_not_known(question, by=by)
    if isinstance(answer, NoAnswer):
        return None if questions.again(question, answer.code) else Outcome.GIVEN_UP
    return taking.question_answered(question, answer, by=by)


# the comparison


def compare(run: Run) -> dict[str, Any]:
    """Ask about every applicant, in the order of our identifiers, and write down what differs.

    A second attempt goes on where the first one reported last; asking an applicant twice has the effect of once.
    """
    sumsub, by = _client(run), run.by
    with transaction():
        begun = queries.run_of(run.job_id) or comparing.begin(run.job_id, job_id=run.job_id, by=by)
        if begun.finished_at is not None:
            return {"comparisonId": str(run.job_id), "applicants": begun.applicants, "differing": begun.differing}
        edge = UUID(run.checkpoint["after"]) if "after" in run.checkpoint else None
        counts = Counts(**run.checkpoint["counts"]) if edge else Counts()
        total = run.checkpoint.get("total") if edge else queries.count_applicants()
        run.keep(done=counts.applicants, total=total)
    patience = _Patience(run)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="sumsub") as pool:
        while True:
            with transaction():
                batch = [(one.id, one.applicant_id) for one in queries.applicants_after(edge, BATCH)]
            if not batch:
                break
            answers = patience.ask(
                [applicant_id for _, applicant_id in batch],
                lambda wanted: list(pool.map(partial(_status, sumsub), wanted)),
            )
            for (row_id, applicant_id), answer in zip(batch, answers, strict=True):
                edge, after = row_id, replace(counts, applicants=counts.applicants + 1)
                compared = _kept(
                    run, partial(_compared, after, applicant_id, row_id, answer, comparison_id=run.job_id, by=by),
                    done=after.applicants,
                )  # fmt: skip
                if compared is _BROKEN:
                    after = replace(counts, applicants=counts.applicants + 1, unanswered=counts.unanswered + 1)
                counts = after
                with transaction():
                    comparing.count(run.job_id, counts)
                    reached = {"after": str(edge), "counts": asdict(counts), "total": run.total}
                    run.keep(done=counts.applicants, checkpoint=reached)
    with transaction():
        comparing.finish(run.job_id, counts, by=by)
        run.keep(done=counts.applicants, total=counts.applicants)
    return {"comparisonId": str(run.job_id), "applicants": counts.applicants, "differing": counts.differing}


def _status(sumsub: Sumsub, applicant_id: str) -> Answer | NoAnswer:
    try:
        return sumsub.status(applicant_id)
    except NoAnswer as failure:
        return failure


def _compared(
    counts: Counts, applicant_id: str, row_id: UUID, answer: Answer | NoAnswer, *, comparison_id: UUID, by: Actor
) -> None:
    if isinstance(answer, NoAnswer) and not isinstance(answer, NotKnown):
        counts.unanswered += 1
        questions.ask_about(Reason.SILENT, applicant_id=applicant_id, by=by)
        return
    taken = taking.look(row_id, answer, comparison_id=comparison_id, by=by)
    counts.resolved += taken.resolved
    if taken.outcome is Outcome.APPLIED:
        counts.applied += 1
    elif taken.standing:
        counts.differing += 1


class _Patience:
    """Waits where Sumsub asks to, or is not there, and says at last that it is not."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.waited = 0.0
        self.pause = 15.0

    def ask(
        self, applicant_ids: Sequence[str], ask: Callable[[Sequence[str]], list[Answer | NoAnswer]]
    ) -> list[Answer | NoAnswer]:
        """Answers in the order of the applicants. Raises Refused, Stopping."""
        found: dict[str, Answer | NoAnswer] = {}
        while missing := [one for one in applicant_ids if one not in found]:
            answers = dict(zip(missing, ask(missing), strict=True))
            wait = 0.0
            for applicant_id, answer in answers.items():
                if isinstance(answer, Interrupted):
                    raise Stopping
                if isinstance(answer, NotAllowed):
                    raise Refused(answer.sentence, code=answer.code)
                if isinstance(answer, Slower):
                    wait = max(wait, answer.wait_seconds, 0.1)
                else:
                    found[applicant_id] = answer
            reached = [one for one in answers.values() if not isinstance(one, NotReached | Slower)]
            if not reached and not wait:
                # not one of them: it is not the applicants, and all are asked again
                wait, self.pause = self.pause, min(self.pause * 2, LONGEST_WAIT_SECONDS)
                found = {key: value for key, value in found.items() if not isinstance(value, NotReached)}
            elif reached:
                self.waited, self.pause = 0.0, 15.0
            self._wait(wait)
        return [found[one] for one in applicant_ids]

    def _wait(self, seconds: float) -> None:
        if not seconds:
            return
        self.waited += seconds
        if self.waited > PATIENCE_SECONDS:
            raise Refused("Sumsub does not answer. Compare again when it does.", code="notReached")
        with transaction():
            self.run.keep(done=self.run.done)
        if self.run.stop.wait(seconds):
            raise Stopping


def _stopped(job: BackgroundJob) -> None:
    """Only a run that has begun can be stopped."""
    if queries.run_of(job.id) is not None:
        asked = Actor(kind=job.asked_by_kind, id=job.asked_by_id, name=job.asked_by_name, role="background")  # type: ignore[arg-type]
        comparing.stopped(job.id, how=job.state, by=asked)


KINDS = (
    Kind(key=ASK, label="Questions to Sumsub", run=ask),
    Kind(key=COMPARE, label="Comparison with Sumsub", run=compare, stopped=_stopped),
)
