"""The control plane as typed calls: one method for each thing it can be asked."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from rollout.client.answers import (
    MAXIMUM_PAGE,
    YAML,
    EntryAnswer,
    ExperimentAnswer,
    ExperimentsAnswer,
    HistoryAnswer,
    ReportFormat,
    StartedAnswer,
)
from rollout.client.audit import ActAnswer, AuditAnswer, KnownHead, VerifiedAnswer
from rollout.client.connection import Conversation, Request
from rollout.client.evidence import EvidenceAnswer, RebuiltAnswer
from rollout.client.nodes import NodesAnswer
from rollout.client.notifications import DeliveryAnswer, NotificationsAnswer
from rollout.client.policies import LintAnswer, PlanAnswer
from rollout.client.records import RecordAnswer, ReplayAnswer
from rollout.client.tokens import CreatedTokenAnswer, TokenAnswer, TokenRequest, TokensAnswer
from rollout.client.wishes import AskedAnswer, WishRequest
from rollout.domain.access import Role

EXPERIMENTS: Final = "/v1/experiments"
NODES: Final = "/v1/nodes"
NOTIFICATIONS: Final = "/v1/notifications"
POLICIES: Final = "/v1/policies"
AUDIT: Final = "/v1/audit"
TOKENS: Final = "/v1/tokens"
REBUILD: Final = "/v1/evidence/rebuild"
MAXIMUM_PAGES: Final = 200
JSON: Final = "application/json"


class ControlPlane(Conversation):
    """Asks one control plane; a context that closes its connection."""

    _if_match: str | None = None

    def only_if(self, run: ExperimentAnswer) -> ControlPlane:
        """Return the same conversation, whose verbs are refused unless the run stands as in this answer."""
        bound = ControlPlane(self._connection)
        bound._if_match = f'"{run.uid}-{run.version}"'
        return bound

    def start(self, policy: bytes, *, file: str = "policy") -> StartedAnswer:
        """Start an experiment by its policy's text; the same policy again changes nothing."""
        request = Request(
            "POST", EXPERIMENTS, {"file": file}, content=policy, content_type=YAML, key=_drawn()
        )
        return self._connection.ask(request, StartedAnswer)

    def experiments(
        self, *, phase: str | None = None, page_size: int = MAXIMUM_PAGE
    ) -> tuple[ExperimentAnswer, ...]:
        """Return every experiment, or those of one phase, in the order of their starts."""
        found: list[ExperimentAnswer] = []
        query: dict[str, str | int] = {"limit": page_size} | ({} if phase is None else {"phase": phase})
        for _ in range(MAXIMUM_PAGES):
            page = self._connection.ask(Request("GET", EXPERIMENTS, query), ExperimentsAnswer)
            found += page.experiments
            if page.next_after is None:
                break
            query["after"] = page.next_after
        return tuple(found)

    def record(self, name: str, number: int) -> RecordAnswer:
        """Return one decision with all that is kept of it."""
        return self._connection.ask(Request("GET", f"{path_of(name)}/decisions/{number}"), RecordAnswer)

    def replay(self, name: str, number: int) -> ReplayAnswer:
        """Have one decision recomputed from what it rests on."""
        request = Request("POST", f"{path_of(name)}/decisions/{number}/replay", content=b"")
        return self._connection.ask(request, ReplayAnswer)

    def lint(self, policy: bytes, *, file: str = "policy") -> LintAnswer:
        """Return what is wrong with a policy's text."""
        request = Request("POST", f"{POLICIES}/lint", {"file": file}, content=policy, content_type=YAML)
        return self._connection.ask(request, LintAnswer)

    def plan(self, policy: bytes, *, file: str = "policy") -> PlanAnswer:
        """Return how long a policy takes, what it can prove, and what to change."""
        request = Request("POST", f"{POLICIES}/plan", {"file": file}, content=policy, content_type=YAML)
        return self._connection.ask(request, PlanAnswer)

    def experiment(self, name: str) -> ExperimentAnswer:
        """Return where one experiment stands."""
        return self._connection.ask(Request("GET", path_of(name)), ExperimentAnswer)

    def evidence(self, name: str) -> EvidenceAnswer:
        """Return what the newest look at an experiment rests on."""
        return self._connection.ask(Request("GET", f"{path_of(name)}/evidence"), EvidenceAnswer)

    def begin_rebuild(self, *, is_check: bool) -> RebuiltAnswer:
        """Have all accounts made anew, or compared with ones made anew; one that is under way goes on."""
        query = {"check": str(is_check).lower()}
        request = Request("POST", REBUILD, query, content=b"", key=_drawn())
        return self._connection.ask(request, RebuiltAnswer)

    def rebuild_state(self) -> RebuiltAnswer:
        """Return how the newest making anew goes."""
        return self._connection.ask(Request("GET", REBUILD), RebuiltAnswer)

    def history(self, name: str, *, after: int = 0, page_size: int = MAXIMUM_PAGE) -> tuple[EntryAnswer, ...]:
        """Return what was recorded of an experiment's present run after an entry, the oldest first."""
        entries: list[EntryAnswer] = []
        for _ in range(MAXIMUM_PAGES):
            query = {"after": after, "limit": page_size}
            page = self._connection.ask(Request("GET", f"{path_of(name)}/history", query), HistoryAnswer)
            entries += page.entries
            if page.next_after is None:
                break
            after = page.next_after
        return tuple(entries)

    def rollback(self, name: str, *, why: str, who: str | None = None) -> AskedAnswer:
        """Ask for a rollback; asking twice is asking once, as for every verb."""
        return self._ask(name, "rollback", WishRequest(who=who, why=why))

    def pause(self, name: str, *, why: str, who: str | None = None) -> AskedAnswer:
        """Ask for a pause: traffic stays as it is, and harm still rolls back."""
        return self._ask(name, "pause", WishRequest(who=who, why=why))

    def resume(self, name: str, *, why: str, who: str | None = None) -> AskedAnswer:
        """Ask for the end of a pause."""
        return self._ask(name, "resume", WishRequest(who=who, why=why))

    def advance(self, name: str, *, why: str, who: str | None = None, override: bool = False) -> AskedAnswer:
        """Ask for the next step; before the policy takes it by itself, only with `override`."""
        return self._ask(name, "advance", WishRequest(who=who, why=why, override=override))

    def approve(
        self, name: str, *, why: str, who: str | None = None, group: str | None = None
    ) -> AskedAnswer:
        """Approve of the promotion in a group's name."""
        return self._ask(name, "approve", WishRequest(who=who, why=why, group=group))

    def promote(
        self,
        name: str,
        *,
        why: str,
        who: str | None = None,
        candidate: str | None = None,
        override: bool = False,
    ) -> AskedAnswer:
        """Ask for the promotion of a version; what is not proven needs `override`."""
        wish = WishRequest(who=who, why=why, candidate=candidate, override=override)
        return self._ask(name, "promote", wish)

    def stop(self, name: str, *, why: str, who: str | None = None) -> AskedAnswer:
        """Ask for the end without a verdict: the baseline serves everybody."""
        return self._ask(name, "stop", WishRequest(who=who, why=why))

    def retire(self, name: str, *, why: str, who: str | None = None) -> AskedAnswer:
        """Ask for the end of an ended run's route."""
        return self._ask(name, "retire", WishRequest(who=who, why=why))

    def retry(self, name: str, *, why: str, who: str | None = None) -> AskedAnswer:
        """Ask for the failed action once more."""
        return self._ask(name, "retry", WishRequest(who=who, why=why))

    def _ask(self, name: str, verb: str, wish: WishRequest) -> AskedAnswer:
        content = wish.model_dump_json(exclude_defaults=True).encode()
        place = f"{path_of(name)}/{verb}"
        request = Request(
            "POST", place, content=content, content_type=JSON, key=_drawn(), if_match=self._if_match
        )
        return self._connection.ask(request, AskedAnswer)

    def audit(self, *, after: int = 0, page_size: int = MAXIMUM_PAGE) -> Iterator[ActAnswer]:
        """Yield the lines of the audit after one of them, the oldest first."""
        for _ in range(MAXIMUM_PAGES):
            query = {"after": after, "limit": page_size}
            page = self._connection.ask(Request("GET", AUDIT, query), AuditAnswer)
            yield from page.acts
            if page.next_after is None:
                return
            after = page.next_after

    def verify_audit(self, known: KnownHead | None = None) -> VerifiedAnswer:
        """Have the whole audit checked, and a line as it was noted elsewhere."""
        content = b"" if known is None else known.model_dump_json().encode()
        request = Request("POST", f"{AUDIT}/verify", content=content, content_type=JSON)
        return self._connection.ask(request, VerifiedAnswer)

    def tokens(self) -> tuple[TokenAnswer, ...]:
        """Return what is known of every token, by name."""
        return self._connection.ask(Request("GET", TOKENS), TokensAnswer).tokens

    def create_token(
        self, name: str, role: Role, *, groups: tuple[str, ...] = (), expires_days: int | None = None
    ) -> CreatedTokenAnswer:
        """Have a token made; its secret is in this answer and nowhere else."""
        wanted = TokenRequest(name=name, role=role, groups=groups, expires_days=expires_days)
        content = wanted.model_dump_json(exclude_defaults=True).encode()
        request = Request("POST", TOKENS, content=content, content_type=JSON, key=_drawn())
        return self._connection.ask(request, CreatedTokenAnswer)

    def revoke_token(self, name: str) -> TokenAnswer:
        """End a token."""
        place = f"{TOKENS}/{quote(name, safe='')}"
        return self._connection.ask(Request("DELETE", place, key=_drawn()), TokenAnswer)

    def notifications(
        self, experiment: str | None = None, *, page_size: int = MAXIMUM_PAGE, pages: int = MAXIMUM_PAGES
    ) -> Iterator[DeliveryAnswer]:
        """Yield what was or will be told, of an experiment or of all, the newest first."""
        query: dict[str, str | int] = {"limit": page_size}
        query |= {} if experiment is None else {"experiment": experiment}
        for _ in range(pages):
            page = self._connection.ask(Request("GET", NOTIFICATIONS, query), NotificationsAnswer)
            yield from page.notifications
            if page.next_before is None:
                return
            query["before"] = page.next_before

    def nodes(self) -> NodesAnswer:
        """Return how every node stands, by name."""
        return self._connection.ask(Request("GET", NODES), NodesAnswer)

    def report(self, name: str, form: ReportFormat) -> str:
        """Return an experiment's report as text."""
        request = Request("GET", f"{path_of(name)}/report", {"format": form.value})
        return self._connection.send(request).content.decode()


def _drawn() -> str:
    """Draw the key of one write: however often it has to be sent, it is done once."""
    return secrets.token_hex(16)


def path_of(name: str) -> str:
    """Return an experiment's place; whatever the name holds, it stays one part of the path."""
    return f"{EXPERIMENTS}/{quote(name, safe='')}"
