"""Durations and moments as people type them: `90s`, `2h`, `2026-11-22`, `2026-11-22 14:30`."""

from datetime import UTC, datetime, timedelta

import click


class Duration(click.ParamType[float]):
    """Seconds, written as in a policy: `90s`, `30m`, `24h`, `14d`."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        try:
            return _seconds(value)
        except ValueError as error:
            self.fail(f"{error} (got {value!r})", param, ctx)


class Since(click.ParamType[datetime]):
    """A moment: a date, a date with a time in UTC, or a duration, which is so long ago."""

    name = "since"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment, in UTC."""
        from rollout.logs import wall_clock

        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(str(value).strip())
        except ValueError:
            try:
                return wall_clock() - timedelta(seconds=_seconds(value))
            except (ValueError, OverflowError):
                form = "must be a duration such as 2h, or a moment such as 2026-11-22 or 2026-11-22T14:30"
                self.fail(f"{form} (got {value!r})", param, ctx)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _seconds(value: object) -> float:
    from rollout.policyfile.nodes import Scalar
    from rollout.policyfile.quantities import duration_s

    return duration_s(Scalar(str(value).strip(), line=1))
