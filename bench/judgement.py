"""Whether tuneloop knows what is wrong with a run: faulty runs of many kinds, and healthy ones, judged by its checks.

python -m bench.judgement --json judgement.json           # all kinds, three seeds each
python -m bench.judgement --quick --json judgement.json   # one seed, fewer healthy runs, no advice
python -m bench.judgement --only leak frozen              # these kinds, with their healthy twins
python -m bench.judgement --unseen                        # on models and rows that no check was made with
python -m bench.judgement --kept                          # train only what is not in build/judgement yet
python -m bench.judgement --look                          # train nothing: look again at the runs that are there
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

from bench import report
from bench.faulty.judge import ALARMS, Name, chosen, judge


def main(argv: list[str] | None = None) -> int:
    """Judge, print the table, and write the JSON; 1 is returned where a run could not be judged at all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, fewer healthy runs, and no advice is tried")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="kinds of faults, healthy settings, or 'healthy'"
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[1, 2, 3], help="1 and 2 are for development, 3 is held out"
    )
    parser.add_argument("--unseen", action="store_true", help="other models, rows and settings, seeds 4 and 5")
    parser.add_argument("--kept", action="store_true", help="train only what is not kept yet")
    parser.add_argument("--look", action="store_true", help="train nothing, look at what is kept")
    parser.add_argument("--no-advice", action="store_true", help="do not try the advice")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(argv)
    seeds = [1] if given.quick else given.seeds
    names = chosen(given.only, seeds, unseen=given.unseen, quick=given.quick)
    how = {"kept": given.kept, "train": not given.look, "advise": not (given.quick or given.no_advice)}
    where, rows = report.machine(), []
    for row in _judged(names, how, given.processes):
        rows.append(row)
        print(line(row), flush=True)
    found = summary(rows)
    print(" ".join(f"{key} {value}" for key, value in found.items() if key != "rows"))
    if given.json:
        report.write(given.json, "judgement", found, where)
    return 0 if given.look or len(rows) == len(names) else 1


def _judged(names: list[Name], how: dict[str, bool], processes: int) -> Iterator[dict[str, Any]]:
    """The rows of all runs: the healthy ones first, since faulty ones are compared with them."""
    if not how["train"]:
        yield from filter(None, (judge(name, **how) for name in names))
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for seed, calm in product(sorted({name.seed for name in names}), (True, False)):
            chosen_now = [name for name in names if name.seed == seed and name.healthy == calm]
            jobs = {pool.submit(judge, name, **how): name for name in chosen_now}
            for job in as_completed(jobs):
                if error := job.exception():
                    print(f"BROKEN  {jobs[job].folder.name:24} {error!r}", file=sys.stderr)
                else:
                    yield job.result()


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Count what was named, alarmed falsely, and helped.

    Args:
        rows: What :func:`bench.faulty.judge.judge` gave.
    """
    healthy = [row for row in rows if row["kind"] == "healthy"]
    faulty = [row for row in rows if row["kind"] not in ("healthy", "compared")]
    tried = [row for row in faulty if row.get("helped") is not None]
    return {
        "faulty": len(faulty),
        "named": sum(row["named"] for row in faulty),
        "named_first": sum(row["first"] or row["named_by"] == "message" for row in faulty),
        "harmless": sum(row.get("harmed") is False for row in faulty),
        "healthy": len(healthy),
        "false_alarms": sum(row["false_alarm"] for row in healthy),
        "advice_tried": len(tried),
        "advice_helped": sum(row["helped"] for row in tried),
        "rows": rows,
    }


def line(row: dict[str, Any]) -> str:
    """A row of the table, for the eyes."""
    alarms = " ".join(one["check"] for one in row["findings"] if one["severity"] in ALARMS)
    if row["kind"] == "compared":
        verdict = "-"
    elif row["kind"] == "healthy":
        verdict = "ALARM" if row["false_alarm"] else "ok"
    else:
        verdict = "named" if row["named"] else "MISSED"
    text = f"{verdict:7} {row['run']:22} loss {_shown(row['loss'])} harm {_shown(row.get('harm'))}  {alarms}"
    if row.get("change"):
        text += f" | {row['change']} -> {_shown(row.get('advised_loss'))}"
    return f"{text} {row['error'][:100]!r}" if row["error"] else text


def _shown(value: float | None) -> str:
    return "    -" if value is None else f"{value:5.2f}"


if __name__ == "__main__":
    raise SystemExit(main())
