"""Where a Prometheus server is and how it is called, as the settings say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rollout.domain.metric import MetricType
from rollout.domain.policy import Policy
from rollout.errors import Problem, Retry

LARGEST_TOKEN: Final = 8_192


@dataclass(frozen=True, slots=True)
class Server:
    """One server; what it must not be told to others does not show when this is printed."""

    url: str
    timeout_s: float = 5.0
    """How long everything together may take that one run asks at one time."""
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    """Read at every asking, so that whoever renews it need not tell anybody; `token` wins."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: Path | None = None
    """What vouches for an `https` address, if not this machine's own authorities."""

    def sent(self) -> dict[str, str]:
        """Return the headers of a question; raises `Retry` when the token cannot be read."""
        token = self.token if self.token is not None else self._read()
        return {**self.headers, **({} if token is None else {"Authorization": f"Bearer {token}"})}

    def _read(self) -> str | None:
        if self.token_file is None:
            return None
        where = f"prometheus_token_file: {self.token_file}"
        try:
            with self.token_file.open("rb") as stream:
                found = stream.read(LARGEST_TOKEN + 1).decode("ascii").strip()
        except OSError as error:
            what = (error.strerror or str(error)).lower()
            raise Retry(Problem(where, what, "name a readable file")) from None
        except UnicodeDecodeError:
            found = ""
        if not found or len(found) > LARGEST_TOKEN or not found.isprintable() or " " in found:
            raise Retry(Problem(where, "holds no token", "put the token there, alone")) from None
        return found


def unset_address(policy: Policy, server: Server | None) -> Iterator[Problem]:
    """Yield a problem when a policy polls and no server is set."""
    polled = [metric.name for metric in policy.metrics if metric.type is MetricType.THRESHOLD]
    if polled and server is None:
        what = f"no address of Prometheus is set here, and it polls one for {', '.join(polled)}"
        remedy = "set prometheus_url (ROLLOUT_PROMETHEUS_URL) and start this control plane again"
        yield Problem(policy.name, what, remedy)
