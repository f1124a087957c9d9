"""Path confusion: who is chosen is who owns the path that the upstream sees."""

from __future__ import annotations

import pytest

from tests.security.exposed import PATHS, UNIT, Exposed, codes, head

NOBODY = None
# What is asked, and the path that an upstream sees; nothing when nobody is asked.
CONFUSING = {
    "//churn": "/churn",
    "/churn//deep": "/churn/deep",
    "/churn/../other": "/other",
    "/churn/..": NOBODY,
    "/../../other": "/other",
    "/churn/%2e%2e/other": "/other",
    "/churn/%2E%2E/other": "/other",
    "/churn/.%2e/other": "/other",
    "/churn%2fdeep": NOBODY,
    "/churn%2Fdeep": NOBODY,
    "/churn%5cdeep": NOBODY,
    "/churn%5Cdeep": NOBODY,
    "/churn/..%2fother": NOBODY,
    "/churn/..;/other": "/other",
    "/churn;a=b": NOBODY,
    "/churn;/deep": NOBODY,
    "/churn\\deep": "/churn/deep",
    "/churn\\..\\other": "/other",
    "\\churn": NOBODY,
    "churn": NOBODY,
    "http:/churn": NOBODY,
    "/churn/%252e%252e/other": "/churn/%252e%252e/other",
    "/churn/%252fdeep": "/churn/%252fdeep",
    "/churn#/../other": NOBODY,
    "/churn/deep#": NOBODY,
    "/churn?/../other": "/churn?/../other",
    "/churn?a=//b": "/churn?a=//b",
    "/churn/deep/./": "/churn/deep/",
    "/churn/deep/..": "/churn/",
    "/churn/deep/%2e": "/churn/deep/",
    "/churn/deep//..": "/churn/deep/",
    "/churn/.../other": "/churn/.../other",
    "/churn/..a": "/churn/..a",
    "/%63hurn": "/churn",
    "/chur%6e": "/churn",
    "/churn/%64eep": "/churn/deep",
    "/churn%00": NOBODY,
    "/churn%0a": NOBODY,
    "/churn%20": NOBODY,
    "/churn%3fa": NOBODY,
    "/churn%23a": NOBODY,
    "/CHURN": NOBODY,
    "/churnx": NOBODY,
    "/churn/%c0%af../other": "/churn/%c0%af../other",
    "/churn/%u002e./other": "/churn/%u002e./other",
    "http://users.example/churn": "/churn",
    "http://users.example//churn/../other": "/other",
    "http://evil.example/churn/deep": "/churn/deep",
    "*": NOBODY,
}


def owner(path: str) -> str | None:
    """Return the longest path that ends at a boundary of this one."""
    whole = path.partition("?")[0]
    owners = [one for one in PATHS if whole == one or whole.startswith(f"{one}/")]
    return max(owners, key=len, default=None)


@pytest.mark.parametrize("target", CONFUSING)
def test_the_owner_of_the_path_that_is_seen_is_asked(front: Exposed, target: str) -> None:
    before = {path: len(server.seen) for path, server in front.servers.items()}
    received = front.send(head(target, f"{UNIT}: somebody"))
    seen = {
        path: [one.target for one in server.seen[before[path] :]] for path, server in front.servers.items()
    }
    expected = CONFUSING[target]
    if expected is None:
        assert not any(seen.values())
        assert codes(received)[0] in {400, 404}
        return
    asked = owner(expected)
    assert asked is not None
    assert {path: targets for path, targets in seen.items() if targets} == {asked: [expected]}
    assert received.endswith(asked.encode())
    for forbidden in ("//", "/./", "/../", "\\", "%2e", "%2f", "%5c", "#"):
        assert forbidden not in expected.partition("?")[0].lower()


def test_every_form_of_a_path_is_asked_and_some_reach_each_owner() -> None:
    reached = {owner(seen) for seen in CONFUSING.values() if seen is not None}
    assert reached == set(PATHS)
