"""Answer the questions of standard input, a JSON list, on standard output: run by a peers' interpreter."""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from importlib import metadata

from tests.golden.peers.exchange import Inputs


def main() -> None:
    """Answer every question with the peer it names."""
    warnings.simplefilter("ignore")
    questions = json.loads(sys.stdin.read())
    # Some peers greet on standard output, which belongs to the answers.
    answers_to = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    sys.stdout = sys.stderr
    answers = []
    for peer, kind, given in questions:
        module = importlib.import_module(f"tests.golden.peers.runners.ask_{peer.replace('-', '_')}")
        answers.append({"expected": module.ANSWERS[kind](Inputs(given)), "version": metadata.version(peer)})
    json.dump(answers, answers_to)
    answers_to.close()


main()
