"""Publication: placements become files, one at a time, and each counts only once Envoy acknowledged it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from rollout.domain.assignment import Placement
from rollout.domain.policy import Policy
from rollout.envoy.admin import Admin, AdminSilent
from rollout.envoy.document import Configuration, Document, Kind
from rollout.envoy.files import ConfigurationFiles
from rollout.envoy.patience import Patience
from rollout.envoy.process import OWN_LOG_FILE, EnvoyProcess
from rollout.envoy.publication import Acknowledged, Live, Refused, plan, reason_in
from rollout.envoy.translate import refuse_impossible, translate
from rollout.envoy.weights import splits, weights
from rollout.errors import WrongTraffic

ACKNOWLEDGED_WITHIN_S: Final = 10.0
LOOK_EVERY_S: Final = 1.0
"""How often a publication of nothing new asks Envoy whether it still serves what it acknowledged."""
_REASON_WITHIN_S: Final = 0.5
_NO_LIFE: Final = "Envoy does not stay up"


class Publisher:
    """What one running Envoy serves, and how that changes; safe to call from several threads."""

    def __init__(  # noqa: PLR0913 (each part is one thing outside)
        self,
        process: EnvoyProcess,
        admin: Admin,
        files: ConfigurationFiles,
        configuration: Configuration,
        *,
        patience: Patience,
        acknowledged: Callable[[Live], None],
    ) -> None:
        self._process, self._admin, self._files = process, admin, files
        self._configuration = configuration
        self._patience, self._acknowledged = patience, acknowledged
        self._turn = threading.Lock()
        self._structure: tuple[tuple[Policy, int], ...] | None = None
        self._looked_at = patience.now()

    @property
    def live(self) -> Live:
        """What Envoy has acknowledged."""
        held = self._configuration
        return Live(held.clusters.version, held.routes.version, held.weights.version, splits(held.weights))

    def publish(self, placements: Sequence[Placement]) -> Acknowledged | Refused:
        """Make Envoy serve these placements and no others; return once it does, or with why it does not."""
        with self._turn:
            try:
                refuse_impossible(placements)
            except WrongTraffic as error:
                return Refused(str(error), self.live)
            if self._process.gave_up:
                return Refused(_NO_LIFE, self.live)
            structure = tuple((placement.policy, placement.revision) for placement in placements)
            wanted = self._wanted(placements, structure)
            self._structure = None  # unknown until all of it is acknowledged
            for document in plan(self._configuration, wanted) or self._drifted():
                refusal = self._hand_over(document)
                if refusal is not None:
                    return Refused(refusal, self.live)
            self._structure = structure
            return Acknowledged(self.live)

    def _wanted(
        self, placements: Sequence[Placement], structure: tuple[tuple[Policy, int], ...]
    ) -> Configuration:
        """Return the files of these placements, without making the large ones again for a step."""
        if structure == self._structure:
            return self._configuration.having(weights(placements))
        return translate(placements)

    def _drifted(self) -> tuple[Document, ...]:
        """Return, once a second, the files that Envoy does not serve although it acknowledged them."""
        if self._patience.now() - self._looked_at < LOOK_EVERY_S:
            return ()
        self._looked_at = self._patience.now()
        held = [self._configuration.of_kind(kind) for kind in Kind]
        try:
            return tuple(one for one in held if self._admin.reading(one.kind).version != one.version)
        except AdminSilent:
            return tuple(held)  # each waits for the next life

    def _hand_over(self, document: Document) -> str | None:
        """Publish one file; return why it was refused, or nothing once it is acknowledged."""
        kind = document.kind
        refusals = self._refusals(kind)
        log_position = self._process.own_log_position()
        self._files.write(document)
        for _ in self._patience.tries(ACKNOWLEDGED_WITHIN_S):
            try:
                reading = self._admin.reading(kind)
            except AdminSilent:
                if self._process.gave_up:
                    return _NO_LIFE
                refusals = 0  # a new life counts from zero
                continue
            if reading.version == document.version and reading.warming == 0:
                self._files.keep(kind)
                self._configuration = self._configuration.having(document)
                self._acknowledged(self.live)
                return None
            if reading.refusals > refusals:
                self._files.restore(kind)
                return f"{kind.file_name}: {self._reason_after(log_position)}"
        self._files.restore(kind)
        return f"{kind.file_name}: not acknowledged within {ACKNOWLEDGED_WITHIN_S:g} s"

    def _refusals(self, kind: Kind) -> int:
        try:
            return self._admin.reading(kind).refusals
        except AdminSilent:
            return 0

    def _reason_after(self, log_position: int) -> str:
        for _ in self._patience.tries(_REASON_WITHIN_S):
            reason = reason_in(self._process.own_log_since(log_position))
            if reason is not None:
                return reason
        return f"refused; Envoy's reason is not in {OWN_LOG_FILE}"
