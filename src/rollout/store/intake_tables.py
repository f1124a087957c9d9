"""What the intake keeps: cursors, watermarks, and the counts of the fast loop, all derived from the lake."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

# Rows live inside their primary key: one lookup instead of two.
IN_KEY = {"sqlite_with_rowid": False}
Big = BigInteger


class RunRow(SQLModel, table=True):
    """A revision of an experiment that was seen in the records."""

    __tablename__: ClassVar[str] = "run"
    __table_args__ = (UniqueConstraint("experiment", "revision"),)
    id: int | None = Field(default=None, primary_key=True)
    experiment: str
    revision: int


class LogCursorRow(SQLModel, table=True):
    """How far a node's log has been filed and counted."""

    __tablename__: ClassVar[str] = "log_cursor"
    __table_args__ = IN_KEY
    node: str = Field(primary_key=True)
    log: str = Field(primary_key=True)
    kind: str
    position: int = Field(sa_type=Big)
    updated_us: int = Field(sa_type=Big)


class NodeMarkRow(SQLModel, table=True):
    """Everything that began before `watermark_us` on this node is filed."""

    __tablename__: ClassVar[str] = "node_mark"
    __table_args__ = IN_KEY
    node: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    watermark_us: int = Field(sa_type=Big)
    seen_us: int = Field(sa_type=Big)
    bad_lines: int = Field(sa_type=Big)


class TallyRow(SQLModel, table=True):
    """Requests of one minute, for display and capacity."""

    __tablename__: ClassVar[str] = "tally"
    __table_args__ = IN_KEY
    run_id: int = Field(primary_key=True)
    block: int = Field(primary_key=True)
    arm: str = Field(primary_key=True)
    minute: int = Field(primary_key=True, sa_type=Big)
    requests: int = Field(sa_type=Big)
    errors: int = Field(sa_type=Big)
    left_early: int = Field(sa_type=Big)
    fallbacks: int = Field(sa_type=Big)
    durations: bytes


class ErrorUnitRow(SQLModel, table=True):
    """A unit's first error ever, and its last one."""

    __tablename__: ClassVar[str] = "error_unit"
    __table_args__ = IN_KEY
    run_id: int = Field(primary_key=True)
    unit: int = Field(primary_key=True, sa_type=Big)
    first_us: int = Field(sa_type=Big)
    arm: str
    split: int
    last_us: int = Field(sa_type=Big)


class ErrorEventRow(SQLModel, table=True):
    """An error of the last hour, and when its unit erred before."""

    __tablename__: ClassVar[str] = "error_event"
    __table_args__ = IN_KEY
    run_id: int = Field(primary_key=True)
    unit: int = Field(primary_key=True, sa_type=Big)
    ts_us: int = Field(primary_key=True, sa_type=Big, index=True)
    arm: str
    split: int
    previous_us: int | None = Field(default=None, sa_type=Big)


class ErrorTotalRow(SQLModel, table=True):
    """How many units had their first error ever in this arm, under this split."""

    __tablename__: ClassVar[str] = "error_total"
    __table_args__ = IN_KEY
    run_id: int = Field(primary_key=True)
    arm: str = Field(primary_key=True)
    split: int = Field(primary_key=True)
    units: int = Field(sa_type=Big)


class ThresholdRow(SQLModel, table=True):
    """A latency limit that is counted as requests arrive, frozen for its run; `side` is as in the domain."""

    __tablename__: ClassVar[str] = "threshold"
    __table_args__ = (UniqueConstraint("run_id", "metric", "side"),)
    id: int | None = Field(default=None, primary_key=True)
    run_id: int
    metric: str
    limit_us: int = Field(sa_type=Big)
    share: float
    side: str


class UnitWindowRow(SQLModel, table=True):
    """One unit's ten seconds, of the last hour; in the order of time, as they come and go."""

    __tablename__: ClassVar[str] = "unit_window"
    __table_args__ = IN_KEY
    threshold_id: int = Field(primary_key=True)
    time_window: int = Field(primary_key=True, sa_type=Big)
    arm: str = Field(primary_key=True)
    unit: int = Field(primary_key=True, sa_type=Big)
    requests: int = Field(sa_type=Big)
    exceedances: int = Field(sa_type=Big)


class ArmWindowRow(SQLModel, table=True):
    """An arm's ten seconds: units, the sum of their fractions, and the traffic beside."""

    __tablename__: ClassVar[str] = "arm_window"
    __table_args__ = IN_KEY
    threshold_id: int = Field(primary_key=True)
    arm: str = Field(primary_key=True)
    time_window: int = Field(primary_key=True, sa_type=Big)
    units: int = Field(sa_type=Big)
    fraction_nano: int = Field(sa_type=Big)
    requests: int = Field(sa_type=Big)
    exceedances: int = Field(sa_type=Big)


class UnitTotalRow(SQLModel, table=True):
    """One unit's requests before the last hour, without those of shared outages."""

    __tablename__: ClassVar[str] = "unit_total"
    __table_args__ = IN_KEY
    threshold_id: int = Field(primary_key=True)
    arm: str = Field(primary_key=True)
    unit: int = Field(primary_key=True, sa_type=Big)
    requests: int = Field(sa_type=Big)
    exceedances: int = Field(sa_type=Big)


class ArmTotalRow(SQLModel, table=True):
    """An arm's unit-windows before the last hour; those of shared outages are only counted."""

    __tablename__: ClassVar[str] = "arm_total"
    __table_args__ = IN_KEY
    threshold_id: int = Field(primary_key=True)
    arm: str = Field(primary_key=True)
    units: int = Field(sa_type=Big)
    fraction_nano: int = Field(sa_type=Big)
    outage_units: int = Field(sa_type=Big)
    slow_minutes: int = Field(sa_type=Big)


class RoomRow(SQLModel, table=True):
    """How many rows a bounded table holds, so that its limit costs no count."""

    __tablename__: ClassVar[str] = "room"
    __table_args__ = IN_KEY
    name: str = Field(primary_key=True)
    rows: int = Field(sa_type=Big)


class IncompleteRow(SQLModel, table=True):
    """What a run's counts lack because it was too much, too late, or lost on a node; then it holds."""

    __tablename__: ClassVar[str] = "incomplete"
    __table_args__ = IN_KEY
    run_id: int = Field(primary_key=True)
    what: str = Field(primary_key=True)
    since_us: int = Field(sa_type=Big)
    left_out: int = Field(sa_type=Big)
