"""Phases as they are typed: one, or several with commas; another word gets its nearest."""

import click
from click.shell_completion import CompletionItem


class Phases(click.ParamType[frozenset[str]]):
    """Some of the phases that a run can be in."""

    name = "phases"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[str]:
        """Return the phases."""
        from rollout.domain.experiment import Phase
        from rollout.errors import choices, nearest

        if isinstance(value, frozenset):
            return value
        known = [phase.value for phase in Phase]
        found = [word.strip().lower() for word in str(value).split(",") if word.strip()]
        wrong = next((word for word in found if word not in known), None)
        if wrong is not None or not found:
            guess = None if wrong is None else nearest(wrong, known)
            hint = f"did you mean '{guess}'?" if guess else f"the phases are {choices(known)}"
            self.fail(f"no phase {wrong or str(value)!r}: {hint}", param, ctx)
        return frozenset(found)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the phases with which the word after the last comma may go on."""
        from rollout.domain.experiment import Phase

        del ctx, param
        before, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(f"{before}{comma}{phase.value}") for phase in Phase if phase.value.startswith(last)
        ]
