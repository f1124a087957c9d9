"""What the peers are asked: one module per group of families, inputs beside the reason for every bound."""

from __future__ import annotations

from typing import Final

from tests.golden.peers.exchange import Question
from tests.golden.peers.questions import (
    adjusted,
    counted,
    limits,
    mixtures,
    planned,
    stratified,
    unstratified,
)

QUESTIONS: Final[tuple[Question, ...]] = (
    *mixtures.QUESTIONS,
    *unstratified.QUESTIONS,
    *stratified.QUESTIONS,
    *adjusted.QUESTIONS,
    *counted.QUESTIONS,
    *limits.QUESTIONS,
    *planned.QUESTIONS,
)
FAMILIES: Final = tuple(dict.fromkeys(question.family for question in QUESTIONS))
