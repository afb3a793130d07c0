"""Statements: a camt.053 of 100,000 entries read into the neutral stream, beside lxml's bare iterparse of it.

`python -m bench --statements` prints seconds of processor time, the quotient of each round and the peak memory of a
process of its own, also for a tenth of the file: memory that does not grow is memory that is constant. The bare
iterparse walks over every element of the file, forgets each entry, and reads nothing of it; beside it stands one that
is only woken for entries. BENCH_ENTRIES makes the file smaller.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.figures import ROUNDS
from bench.server import Bench
from dashboard.settings import ROOT

ENTRIES = int(os.environ.get("BENCH_ENTRIES", "100000"))
GOAL = 0.5
#: the large file may take so much more memory than a tenth of it, in MB: what allocators round
FLAT_MB = 8.0

_MEASURED = """
import json, resource, sys, time
from pathlib import Path
way, path = sys.argv[1], Path(sys.argv[2])
from lxml import etree
from dashboard.treasury.statements.reading import camt
started = time.process_time()
count = 0
if way == "read":
    for item in camt.items(path):
        count += type(item).__name__ == "Entry"
else:
    options = {"tag": "{*}Ntry"} if way == "entries" else {}
    for _, element in etree.iterparse(str(path), **options):
        if element.tag.endswith("}Ntry"):
            count += 1
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
seconds = time.process_time() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "peak": peak * (1 if sys.platform == "darwin" else 1024), "count": count}))
"""

WAYS = {"bare": "bare iterparse, every element", "entries": "bare iterparse, entries only", "read": "the reader"}


def written(path: Path, entries: int) -> None:
    """A statement as a bank writes it, with references, parties and texts in every entry."""
    with path.open("w", encoding="utf-8") as file:
        file.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>B</MsgId>'
            "<CreDtTm>2026-03-13T05:00:00Z</CreDtTm></GrpHdr><Stmt><Id>B-1</Id><ElctrncSeqNb>1</ElctrncSeqNb>"
            "<CreDtTm>2026-03-13T05:00:00Z</CreDtTm><Acct><Id><IBAN>NL91ABNA0417164300</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        )
        for code, amount in (("OPBD", 0), ("CLBD", entries)):
            file.write(
                f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{amount}.00</Amt>'
                "<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-12</Dt></Dt></Bal>\n"
            )
        for number in range(entries):
            file.write(
                f'<Ntry><NtryRef>{number}</NtryRef><Amt Ccy="EUR">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
                "<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-03-12</Dt></BookgDt><ValDt><Dt>2026-03-12</Dt></ValDt>"
                f"<AcctSvcrRef>2026031200{number:08}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>"
                "<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs>"
                f"<EndToEndId>E2E-{number:08}</EndToEndId><TxId>T{number:08}</TxId></Refs><RltdPties><Dbtr><Pty>"
                "<Nm>Jonas Petrauskas</Nm></Pty></Dbtr><DbtrAcct><Id><IBAN>LT121000011101001000</IBAN></Id></DbtrAcct>"
                "</RltdPties><RltdAgts><DbtrAgt><FinInstnId><BICFI>HABALT22</BICFI></FinInstnId></DbtrAgt></RltdAgts>"
                f"<RmtInf><Ustrd>invoice {number} of March</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
            )
        file.write("</Stmt></BkToCstmrStmt></Document>")


def measured(way: str, path: Path, entries: int) -> tuple[float, float]:
    """Seconds of processor time, and the peak memory in MB, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, way, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["count"] == entries
    return found["seconds"], found["peak"] / 1024**2


def run(_bench: Bench) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.xml", Path(folder) / "small.xml"
        written(large, ENTRIES)
        written(small, ENTRIES // 10)
        rounds = [{way: measured(way, large, ENTRIES) for way in WAYS} for _ in range(ROUNDS)]
        little = measured("read", small, ENTRIES // 10)
        size = large.stat().st_size / 1024**2
    print(f"\nStatements: camt.053 of {ENTRIES:,} entries, {size:.0f} MB; processor time, peak memory of the process")
    for way, name in WAYS.items():
        seconds = sorted(each[way][0] for each in rounds)[ROUNDS // 2]
        peak = max(each[way][1] for each in rounds)
        print(f"  {name:34}{seconds:8.2f} s{ENTRIES / seconds:12,.0f} entries/s{peak:8.0f} MB")
    for other in ("bare", "entries"):
        ratios = sorted(each[other][0] / each["read"][0] for each in rounds)
        goal = ""
        if other == "bare":
            goal = f"   goal ≥ {GOAL}: {'reached' if ratios[ROUNDS // 2] >= GOAL else 'MISSED'}"
        print(f"  reader of {WAYS[other]:34}{ratios[ROUNDS // 2]:6.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}){goal}")
    more = max(each["read"][1] for each in rounds) - little[1]
    flat = "flat" if more <= FLAT_MB else "GROWS"
    print(f"  memory for ten times the file: {more:+.1f} MB, {flat}")
