"""Which columns of a file are which part of an outcome, and a row as the outcome that it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from rollout.api.told import Told
from rollout.errors import NotReadable, Problem, choices, nearest
from rollout.outcomefile.cells import Typed, Written
from rollout.outcomefile.moments import Moments
from rollout.outcomefile.record import Record, shown
from rollout.outcomefile.source import Form

NAMES: Final = ("unit", "metric", "ts_us", "time", "value", "key")
SHOWN_COLUMNS: Final = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """How a person says that a file is to be read."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The column for each name of ours that has another."""
    metric: str | None = None
    """Of every row, in a file of one metric."""
    moments: Moments = field(default_factory=Moments)
    delimiter: str = ","

    def column_of(self, name: str) -> str:
        """Return which column holds a part."""
        return self.columns.get(name, name)


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts that a file's columns hold."""

    of: Mapping[str, str]
    """The column of each part that there is."""
    unused: Sequence[str] = ()


def layout_of(name: str, columns: Sequence[str] | None, asked: Asked) -> Layout:
    """Return what a file's columns hold; raise `NotReadable` when a part is missing, or is there twice."""
    if columns is None:
        left_out = () if asked.metric is None else ("metric",)
        return Layout({part: asked.column_of(part) for part in NAMES if part not in left_out})
    problems = [
        Problem(name, f"no column '{column}', which --map names", _guessed(column, columns))
        for column in asked.columns.values()
        if column not in columns
    ]
    of = {part: asked.column_of(part) for part in NAMES if asked.column_of(part) in columns}
    problems += _doubtful(name, of, asked)
    given = {*of, *asked.columns, *(() if asked.metric is None else ("metric",))}
    missing = [part for part in ("unit", "metric", "value") if part not in given]
    missing += [] if given & {"time", "ts_us"} else ["ts_us' or 'time"]
    if missing:
        problems.append(_missing(name, missing, columns))
    if problems:
        raise NotReadable(*problems)
    used = set(of.values())
    return Layout(of, [column for column in columns if column not in used])


class Reader:
    """Turns rows of one file into outcomes as an application tells them; each refusal is a ValueError."""

    def __init__(self, form: Form, layout: Layout, asked: Asked) -> None:
        self._layout, self._asked = layout, asked
        self._cells = Written() if form is Form.CSV else Typed()
        self._is_json = form is Form.LINES

    def told(self, record: Record) -> Told:
        """Return the outcome that a row tells; what the door checks is not checked yet."""
        if record.fault is not None:
            raise ValueError(record.fault)
        if self._is_json:
            return self._json(record.cells)
        of, cells, reading = self._layout.of, record.cells, self._cells
        metric = self._asked.metric
        return Told(
            reading.text("unit", cells[of["unit"]]),
            reading.text("metric", cells[of["metric"]]) if metric is None else metric,
            self._asked.moments.of_time(cells[of["time"]])
            if "time" in of
            else reading.whole("ts_us", cells[of["ts_us"]]),
            reading.number("value", cells[of["value"]]),
            reading.key(cells[of["key"]]) if "key" in of else None,
        )

    def _json(self, cells: Mapping[str, object]) -> Told:
        """Read a JSON object as the door does, by its types."""
        found = {part: cells[column] for part, column in self._layout.of.items() if column in cells}
        if self._asked.metric is not None:
            if self._asked.column_of("metric") in cells:
                raise ValueError("metric: the row names one, and so does --metric")
            found["metric"] = self._asked.metric
        if "time" in found:
            if "ts_us" in found:
                raise ValueError("time: the row has a ts_us too: leave out one")
            found["ts_us"] = self._asked.moments.of_time(found.pop("time"))
        try:
            return msgspec.convert(found, Told)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None


def _doubtful(name: str, of: Mapping[str, str], asked: Asked) -> list[Problem]:
    problems = []
    if "time" in of and "ts_us" in of:
        what = f"both '{of['ts_us']}' and '{of['time']}' say when"
        remedy = f"have another column be one of them: --map {of['time']}=ts_us reads only this one"
        problems.append(Problem(name, what, remedy))
    if asked.metric is not None and "metric" in of:
        what = f"the column '{of['metric']}' names metrics, and so does --metric"
        problems.append(Problem(name, what, "leave out --metric"))
    return problems


def _missing(name: str, parts: Sequence[str], columns: Sequence[str]) -> Problem:
    what = "no column " + ", ".join(f"'{part}'" for part in parts)
    if len(columns) == 1 and (sign := next((one for one in ";\t|" if one in columns[0]), None)):
        return Problem(name, what, f"are the cells separated otherwise? --delimiter {shown(sign)}")
    if not set(columns) & set(NAMES) and any(column[:1].isdigit() for column in columns):
        return Problem(name, what, "is the header missing? the first line must name the columns")
    example = parts[0] if len(parts) == 1 and "time" not in parts[0] else "NAME"
    metric = ", or --metric NAME in a file of one metric" if "metric" in parts else ""
    return Problem(name, what, f"--map COLUMN={example} says which it is of {_listed(columns)}{metric}")


def _guessed(column: str, columns: Sequence[str]) -> str:
    guess = nearest(column, columns)
    return f"did you mean '{guess}'?" if guess is not None else f"there are {_listed(columns)}"


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns[:SHOWN_COLUMNS]) + (", …" if len(columns) > SHOWN_COLUMNS else "")


def mapped(written: Sequence[str]) -> Mapping[str, str]:
    """Return the column for each part, from words like COLUMN=NAME; raise ValueError with what is wrong."""
    found: dict[str, str] = {}
    for one in written:
        column, sign, part = one.rpartition("=")
        if not sign or not column or part not in NAMES:
            raise ValueError(f"--map must be COLUMN=NAME, with a NAME of {choices(NAMES)} (got {one!r})")
        if part in found:
            raise ValueError(f"--map names two columns for '{part}'")
        found[part] = column
    return found
