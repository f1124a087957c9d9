"""How every page is filled: what people wrote is escaped, and `names in backquotes` are shown as code."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

_QUOTED: Final = re.compile(r"`([^`]+)`")


def code(text: str) -> Markup:
    """Return a sentence with its quoted names as code; everything in it is escaped first."""
    return Markup(_QUOTED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704


_ENVIRONMENT: Final = Environment(
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters["code"] = code


def filled(template: str, **parts: object) -> str:
    """Return a page of this folder, filled."""
    source = files("rollout.render").joinpath(template).read_text(encoding="utf-8")
    return _ENVIRONMENT.from_string(source).render(**parts)
