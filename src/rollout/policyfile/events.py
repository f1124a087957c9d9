"""The events of a YAML text, as ruamel.yaml finds them, in half the time.

Only what costs most is done otherwise: a comment is skipped at once instead of sign by sign, and nothing is
looked for among no keys. A test holds these events against those of the library as it comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.events import Event
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner

BREAKS: Final = re.compile("[\r\n\x85\u2028\u2029\ufeff]")
COMMENT: Final = re.compile("#[^\x00\r\n\x85\u2028\u2029]*")
BLANKS: Final = re.compile(" *")


def events(text: str) -> Iterator[Event]:
    """Yield the events of a text; raises `YAMLError` where it is not YAML."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Reader, yaml.Scanner, yaml.Parser = _Reader, _Scanner, _Parser
    found: Iterator[Event] = yaml.parse(text)
    return found


class _Reader(Reader):
    def forward(self, length: int = 1) -> None:
        """Go on by so many signs; at once where no line ends among them."""
        end = self.pointer + length
        if end + 1 >= len(self.buffer) or BREAKS.search(self.buffer, self.pointer, end):
            super().forward(length)
            return
        self.pointer = end
        self.index += length
        self.column += length


class _Scanner(Scanner):
    @cached_property
    def reader(self) -> Any:  # noqa: ANN401 (as the library has it)
        return self.loader.reader

    def check_token(self, *choices: Any) -> bool:  # noqa: ANN401 (the same)
        """Return whether the next token is of one of these kinds; of any when none is given."""
        while self.need_more_tokens():
            self.fetch_more_tokens()
        return bool(self.tokens) and (not choices or isinstance(self.tokens[0], choices))

    def need_more_tokens(self) -> bool:
        """Return whether the next token is not known yet, or may still turn out to be a key."""
        if self.tokens and not self.possible_simple_keys:
            return False
        return bool(super().need_more_tokens())

    def stale_possible_simple_keys(self) -> None:
        """Forget what can be a key no more."""
        if self.possible_simple_keys:
            super().stale_possible_simple_keys()

    def scan_to_next_token(self) -> Any:  # noqa: ANN401 (the same)
        """Skip what a comment or an indentation is made of, before the library looks sign by sign."""
        reader = self.reader
        while True:
            for skipped in (BLANKS, COMMENT):
                matched = skipped.match(reader.buffer, reader.pointer)
                if matched and matched.end() > reader.pointer:
                    reader.forward(matched.end() - reader.pointer)
            if reader.peek() != "\n":
                return super().scan_to_next_token()
            reader.forward()
            if not self.flow_level:
                self.allow_simple_key = True


class _Parser(Parser):
    @cached_property
    def scanner(self) -> Any:  # noqa: ANN401 (the same)
        return self.loader.scanner
