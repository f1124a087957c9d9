"""A user's folder beside a control plane that really listens."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.api.control import House
from tests.command import run


@dataclass(frozen=True)
class Desk:
    """A user's folder, and the control plane that the settings name."""

    home: Path
    there: House

    @property
    def settings(self) -> dict[str, str]:
        token_file = str(self.home / "token")
        return {"ROLLOUT_CONTROL_URL": self.there.url, "ROLLOUT_TOKEN_FILE": token_file}

    def type(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, home=self.home, **(self.settings | changes))
