"""One function for each form of text: `churn-v2`, `"1.4.2"`, `ml-leads`; each refuses every other form."""

from __future__ import annotations

import re
from typing import Final

from rollout.policyfile.finding import did_you_mean
from rollout.policyfile.forms import Unfit, scalar_of
from rollout.policyfile.nodes import Scalar

MAXIMUM_CHARACTERS: Final = 1_000
LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
RESOURCE: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
METRIC_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")

# What YAML 1.1 or 1.2 reads as something else than text: numbers, base 60, dates, truth, a default.
NOT_TEXT: Final = re.compile(
    r"[-+]?_*[0-9][0-9_]*(\.[0-9_]*)?(e[-+]?[0-9]+)?|[-+]?\.([0-9_]+(e[-+]?[0-9]+)?|inf)|\.nan"
    r"|[-+]?0[xob][0-9a-f_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*"
    r"|y|yes|n|no|true|false|on|off|=",
    re.IGNORECASE,
)


def text(value: object) -> str:
    """Return text that every YAML reader takes for text, printable and without line breaks."""
    scalar = scalar_of(value, "text")
    if not scalar.is_quoted and NOT_TEXT.fullmatch(scalar.text):
        raise Unfit("must be quoted: YAML does not read it as text", f'write "{scalar.text}"')
    if not scalar.text.strip() or scalar.text != scalar.text.strip():
        raise Unfit("must be text without blanks around it")
    if not scalar.text.isprintable() or len(scalar.text) > MAXIMUM_CHARACTERS:
        raise Unfit(f"must be one line of at most {MAXIMUM_CHARACTERS} printable characters")
    return scalar.text


def version(value: object) -> str:
    """Return a version, which must be quoted: YAML reads 1.10 as 1.1."""
    scalar = scalar_of(value, 'a quoted version such as "1.4.2"')
    if not scalar.is_quoted:
        raise Unfit("must be quoted: YAML reads 1.10 as 1.1", f'write "{scalar.text}"')
    return text(scalar)


def label(value: object) -> str:
    """Return a name that may stand in a DNS name and in Kubernetes."""
    found = text(value)
    if not LABEL.fullmatch(found):
        lowered = re.sub(r"[^a-z0-9-]+", "-", found.lower()).strip("-")
        guess = lowered if LABEL.fullmatch(lowered) else None
        raise Unfit(
            "must be 1 to 63 lower-case letters, digits and hyphens, with no hyphen at an end",
            did_you_mean(guess),
        )
    return found


def metric_name(value: object) -> str:
    """Return a metric's name, under which its outcomes are reported."""
    found = text(value)
    if not METRIC_NAME.fullmatch(found):
        raise Unfit("must be a letter, then at most 62 letters, digits and the signs . _ -")
    return found


def name(value: object) -> str:
    """Return a name whose meaning is in the settings or in a cluster."""
    found = text(value)
    if not NAME.fullmatch(found):
        raise Unfit("must be a letter or digit, then at most 62 letters, digits and the signs . _ -")
    return found


def resource(value: object) -> str:
    """Return the name of a resource in a cluster."""
    found = text(value)
    if not RESOURCE.fullmatch(found):
        guess = found.lower().replace("_", "-")
        remedy = did_you_mean(guess if RESOURCE.fullmatch(guess) else None)
        raise Unfit("must be a resource's name: lower-case letters, digits, hyphens and dots", remedy)
    return found


def name_key(value: object) -> str:
    """Return a name that stands as a key."""
    return name(Scalar(str(value), 0, is_quoted=True))


def truth(value: object) -> bool:
    """Return true or false, written so."""
    scalar = scalar_of(value, "true or false")
    if scalar.is_quoted or scalar.text not in {"true", "false"}:
        raise Unfit("must be true or false")
    return scalar.text == "true"
