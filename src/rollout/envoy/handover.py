"""One file after the other goes to Envoy, and each counts only once Envoy acknowledged it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rollout.domain.assignment import Split
from rollout.envoy.admin import Admin, AdminSilent
from rollout.envoy.document import Configuration, Document, Kind
from rollout.envoy.files import ConfigurationFiles
from rollout.envoy.patience import Patience
from rollout.envoy.process import OWN_LOG_FILE, EnvoyProcess
from rollout.envoy.publication import Live, reason_in
from rollout.envoy.sifting import Fault
from rollout.envoy.weights import splits

ACKNOWLEDGED_WITHIN_S: Final = 10.0
BYTES_PER_S: Final = 1_000_000
"""A large file is given more time: Envoy reads ten times as much in a second."""
HOPEFUL_LOOKS: Final = 2
"""So many looks, a few milliseconds, do not ask yet whether a file was refused."""
LOOK_EVERY_S: Final = 1.0
"""How often a publication of nothing new asks Envoy whether it still serves what it acknowledged."""
NO_LIFE: Final = "Envoy does not stay up"
REMEMBERED: Final = 3
"""Weights whose meaning is kept: those before a change, and those after."""
_REASON_WITHIN_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Hearing:
    """Who hears of a change of Envoy's files: of the weights before, of every file after."""

    writing: Callable[[Live], None] = lambda _live: None
    """What would be live if Envoy acknowledges the weights that are written next."""
    acknowledged: Callable[[Live], None] = lambda _live: None


class Handover:
    """The files of one running Envoy; the caller sees to it that one thread at a time is in here."""

    def __init__(  # noqa: PLR0913 (each part is one thing outside)
        self,
        process: EnvoyProcess,
        admin: Admin,
        files: ConfigurationFiles,
        configuration: Configuration,
        *,
        patience: Patience,
        hearing: Hearing,
    ) -> None:
        self._process, self._admin, self._files = process, admin, files
        self._patience, self._hearing = patience, hearing
        self._looked_at = patience.now()
        self._splits: dict[str, Mapping[tuple[str, int], Split]] = {}
        self.configuration = configuration
        """What Envoy has acknowledged."""

    @property
    def live(self) -> Live:
        """What Envoy has acknowledged, in short."""
        return self._live(self.configuration)

    def hand_over(self, document: Document, *, meanwhile: Callable[[], None] = lambda: None) -> Fault | None:
        """Publish one file; return why it was refused, or nothing once it is acknowledged.

        `meanwhile` is called again and again while Envoy is waited for: it may hand over another kind.
        """
        kind = document.kind
        refusals = self._refusals(kind)
        log_position = self._process.own_log_position()
        if kind is Kind.WEIGHTS:
            self._hearing.writing(self._live(self.configuration.having(document)))
        self._files.write(document)
        within_s = ACKNOWLEDGED_WITHIN_S + len(document.text) / BYTES_PER_S
        for look, _ in enumerate(self._patience.tries(within_s)):
            try:
                is_served = self._serves(document) and self._is_usable(kind)
                # Each question keeps Envoy's main thread from reading the file, and most are taken at once.
                asks = not is_served and look >= HOPEFUL_LOOKS
                is_refused = asks and self._admin.refusals(kind) > refusals
            except AdminSilent:
                if self._process.gave_up:
                    return Fault(NO_LIFE, is_content=False)
                refusals = 0  # a new life counts from zero
                continue
            if is_served:
                self._files.keep(kind)
                self.configuration = self.configuration.having(document)
                self._hearing.acknowledged(self.live)
                return None
            if is_refused:
                self._files.restore(kind)
                return Fault(f"{kind.file_name}: {self._reason_after(log_position)}")
            meanwhile()
        self._files.restore(kind)
        late = f"{kind.file_name}: not acknowledged within {within_s:.0f} s"
        return Fault(late, is_content=False)

    def drifted(self) -> tuple[Document, ...]:
        """Return, once a second, the files that Envoy does not serve although it acknowledged them."""
        if self._patience.now() - self._looked_at < LOOK_EVERY_S:
            return ()
        self._looked_at = self._patience.now()
        held = [self.configuration.of_kind(kind) for kind in Kind]
        try:
            return tuple(one for one in held if not self._serves(one))
        except AdminSilent:
            return tuple(held)  # each waits for the next life

    def _serves(self, document: Document) -> bool:
        return self._admin.version(document.kind) == document.version

    def _is_usable(self, kind: Kind) -> bool:
        return kind is not Kind.CLUSTERS or self._admin.warming() == 0

    def _refusals(self, kind: Kind) -> int:
        try:
            return self._admin.refusals(kind)
        except AdminSilent:
            return 0

    def _reason_after(self, log_position: int) -> str:
        for _ in self._patience.tries(_REASON_WITHIN_S):
            reason = reason_in(self._process.own_log_since(log_position))
            if reason is not None:
                return reason
        return f"refused; Envoy's reason is not in {OWN_LOG_FILE}"

    def _live(self, held: Configuration) -> Live:
        """Return a configuration in short; what its weights mean is worked out once."""
        version = held.weights.version
        meaning = self._splits.get(version)
        if meaning is None:
            meaning = splits(held.weights)
            newest = list(self._splits.items())[-REMEMBERED:]
            self._splits = {**dict(newest), version: meaning}
        return Live(held.clusters.version, held.routes.version, version, meaning)
