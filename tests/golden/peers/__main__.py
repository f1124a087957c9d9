"""`make peers`: ask every peer again, and write cases.json and docs/peers.md; `--check` only compares."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.golden.peers import environments, locks, page
from tests.golden.peers.environments import ANYTIME, GBSTATS, Environment
from tests.golden.peers.exchange import CASES, PRINTED, Case, Question, answered, read_cases, written
from tests.golden.peers.questions import QUESTIONS
from tests.golden.peers.questions.planned import TABLE

_REPOSITORY: Final = Path(__file__).parents[3]
_ELSEWHERE: Final = {"gbstats": GBSTATS, "ssrm-test": GBSTATS}
_LONGEST_S: Final = 600


def main() -> int:
    """Run the chosen part; return the exit code."""
    options = argparse.ArgumentParser(prog="python -m tests.golden.peers", description=__doc__)
    choice = options.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="ask again and compare; write nothing")
    choice.add_argument("--write-docs", action="store_true", help="only write docs/peers.md")
    choice.add_argument("--lock", action="store_true", help="only renew the locks")
    given = options.parse_args()
    if given.lock:
        print("Renewing the peers' locks:")
        locks.renew()
        return 0
    if given.write_docs:
        return _write_docs(read_cases())
    cases = _ask_all()
    text = written(cases)
    if given.check:
        same = CASES.exists() and text == CASES.read_text(encoding="utf-8")
        print("cases.json is what the peers say" if same else "cases.json differs from what the peers say")
        return 0 if same else 1
    CASES.write_text(text, encoding="utf-8")
    print(f"{CASES.relative_to(_REPOSITORY)}: {len(cases)} cases")
    return _write_docs(cases)


def _write_docs(cases: list[Case]) -> int:
    page.PAGE.write_text(page.rendered(cases), encoding="utf-8")
    print(f"{page.PAGE.relative_to(_REPOSITORY)} written")
    return 0


def _ask_all() -> list[Case]:
    cases = [_from_print(question) for question in QUESTIONS if question.peer == PRINTED]
    print(f"printed tables: {len(cases)} cases")
    for environment in (GBSTATS, ANYTIME):
        mine = [q for q in QUESTIONS if q.peer != PRINTED and _ELSEWHERE.get(q.peer, ANYTIME) is environment]
        print(f"{environment.name}: {len(mine)} questions to {len({q.peer for q in mine})} peers", flush=True)
        cases += _ask(environment, mine)
    order = {question.key: place for place, question in enumerate(QUESTIONS)}
    return sorted(cases, key=lambda case: order[case.key])


def _from_print(question: Question) -> Case:
    effect, power = question.inputs["effect"], question.inputs["power"]
    units = next(value for design, value in TABLE.items() if design == (effect, power))
    return answered(question, {"units": units}, "as printed")


def _ask(environment: Environment, questions: list[Question]) -> list[Case]:
    python = environments.ready(environment)
    asked = json.dumps([[question.peer, question.kind, question.inputs] for question in questions])
    ran = subprocess.run(
        [str(python), "-m", "tests.golden.peers.runners"],
        cwd=_REPOSITORY,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        input=asked,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    if ran.returncode:
        raise SystemExit(f"peers: asking {environment.name} failed: see above")
    answers = json.loads(ran.stdout)
    return [
        answered(question, answer["expected"], answer["version"])
        for question, answer in zip(questions, answers, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
