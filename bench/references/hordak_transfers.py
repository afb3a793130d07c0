"""Checked transfers with django-hordak, run by the interpreter of its own environment (see bench.hordak).

A transfer as its documentation builds one: in one transaction lock both accounts, read the debtor's balance, refuse
when it is not enough, `transfer_to`. In process, without HTTP. PEER_URL_* name the database. `fill` makes the tables
and the accounts; `run PROCESSES SECONDS WARM` prints the figure as JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import sys
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings

ACCOUNTS = 2_000
OPENING, AMOUNT = "1000000.00", "1.25"

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "djmoney", "hordak"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PEER_URL_HOST"],
            "PORT": os.environ["PEER_URL_PORT"],
            "NAME": os.environ["PEER_URL_DATABASE"],
            "USER": os.environ["PEER_URL_USER"],
            "CONN_MAX_AGE": None,
            # foreign keys are looked up by an index from the first transfer on, as the product's are
            "OPTIONS": {"options": "-c enable_seqscan=off"},
        }
    },
    USE_TZ=True,
    DEBUG=False,
    CURRENCIES=("EUR",),
    DEFAULT_CURRENCY="EUR",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from hordak.models import Account, AccountType, Leg, Transaction  # noqa: E402
from moneyed import Money  # noqa: E402


class NotEnough(Exception):
    """The debtor's balance does not cover the amount."""


def transfer(debtor_id: int, creditor_id: int, amount: Any) -> None:
    """Raises NotEnough; nothing is written then."""
    with transaction.atomic():
        # no key: the mildest lock that still makes the balance safe to read
        rows = Account.objects.select_for_update(no_key=True).filter(pk__in=(debtor_id, creditor_id)).order_by("pk")
        accounts = {account.pk: account for account in rows}
        debtor, creditor = accounts[debtor_id], accounts[creditor_id]
        if debtor.get_simple_balance()[amount.currency] < amount:
            raise NotEnough
        # client accounts are liabilities: a credit raises them
        creditor.transfer_to(debtor, amount)


def fill() -> None:
    call_command("migrate", verbosity=0)
    own = Account.objects.create(name="Own funds", type=AccountType.asset)
    with Account.objects.delay_mptt_updates():
        for number in range(ACCOUNTS):
            Account.objects.create(name=f"Client {number}", type=AccountType.liability)
    clients = list(Account.objects.filter(type=AccountType.liability))
    with transaction.atomic():
        opening = Transaction.objects.create()
        legs = [Leg(transaction=opening, account=client, credit=Money(OPENING, "EUR")) for client in clients]
        legs.append(Leg(transaction=opening, account=own, debit=Money(OPENING, "EUR") * len(clients)))
        Leg.objects.bulk_create(legs)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def work(seconds: float, warm: float, started: Any, results: Any) -> None:
    connection.close()
    ids = list(Account.objects.filter(type=AccountType.liability).values_list("pk", flat=True))
    amount = Money(AMOUNT, "EUR")
    started.wait()
    warm_until = time.perf_counter() + warm
    ends = warm_until + seconds
    times: list[float] = []
    made = 0
    while (began := time.perf_counter()) < ends:
        debtor, creditor = random.sample(ids, 2)
        transfer(debtor, creditor, amount)
        made += 1
        now = time.perf_counter()
        if warm_until <= began and now <= ends:
            times.append((now - began) * 1000)
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    results.put((made, times, int(found[1]) * 1024))


def run(processes: int, seconds: float, warm: float) -> None:
    before = Transaction.objects.count()
    connection.close()
    start = multiprocessing.get_context("fork")
    started, results = start.Barrier(processes), start.Queue()
    workers = [
        start.Process(target=work, args=(seconds, warm, started, results), daemon=True) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=seconds + warm + 60) for _ in workers]
    for worker in workers:
        worker.join()
    assert Transaction.objects.count() - before == sum(made for made, _, _ in found)
    times = [one for _, some, _ in found for one in some]
    json.dump({"seconds": seconds, "times": times, "rss_bytes": sum(rss for _, _, rss in found)}, sys.stdout)


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill()
    else:
        run(int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
