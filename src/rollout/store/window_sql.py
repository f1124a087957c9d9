"""The statements of `rollout.store.window_counts`, whole, as the database sees them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, text

STAGE: Final = (
    text("""CREATE TEMP TABLE IF NOT EXISTS arriving (
  threshold_id INTEGER, arm TEXT, unit BIGINT, time_window BIGINT, requests BIGINT, exceedances BIGINT)"""),
    text("CREATE TEMP TABLE IF NOT EXISTS outage (minute BIGINT PRIMARY KEY)"),
    text("DELETE FROM arriving"),
    text("DELETE FROM outage"),
)
ARRIVE: Final = text(
    "INSERT INTO arriving VALUES (:threshold_id, :arm, :unit, :time_window, :requests, :exceedances)"
)
NOTE_OUTAGE: Final = text("INSERT INTO outage VALUES (:minute)")
DROP_UNITLESS: Final = text("DELETE FROM arriving WHERE unit IS NULL")
COUNT_NEW: Final = text("""SELECT count(*) FROM arriving
LEFT JOIN unit_window old USING (threshold_id, arm, unit, time_window) WHERE old.requests IS NULL""")
DROP_NEW: Final = text("""DELETE FROM arriving WHERE (threshold_id, arm, unit, time_window) NOT IN (
  SELECT threshold_id, arm, unit, time_window FROM unit_window)""")
UNITLESS: Final = """SELECT threshold_id, arm, time_window, 0, 0, requests, exceedances FROM arriving
WHERE unit IS NULL"""
ARRIVED: Final = (
    """SELECT threshold_id, arm, unit, time_window, requests, exceedances FROM arriving WHERE true"""
)
# A fraction is rounded down here: an alarm never gains by it.
CHANGES: Final = """SELECT threshold_id, arm, time_window, sum(old.requests IS NULL),
  sum((coalesce(old.exceedances, 0) + new.exceedances) * :nano / (coalesce(old.requests, 0) + new.requests)
    - coalesce(old.exceedances * :nano / old.requests, 0)), sum(new.requests), sum(new.exceedances)
FROM arriving new LEFT JOIN unit_window old USING (threshold_id, arm, unit, time_window)
GROUP BY 1, 2, 3"""
BASELINE_MINUTES: Final = text("""SELECT time_window / :per_minute, sum(requests), sum(exceedances)
FROM arm_window WHERE threshold_id = :threshold AND time_window < :window AND arm IN :arms
GROUP BY 1""").bindparams(bindparam("arms", expanding=True))
COUNT_TOTALS: Final = text("SELECT count(*) FROM unit_total")
FOLD_UNITS: Final = """SELECT threshold_id, arm, unit, sum(requests), sum(exceedances) FROM unit_window
WHERE threshold_id = :threshold AND time_window < :window
  AND time_window / :per_minute NOT IN (SELECT minute FROM outage)
  AND (:has_room OR (threshold_id, arm, unit) IN (SELECT threshold_id, arm, unit FROM unit_total))
GROUP BY 1, 2, 3"""
FOLD_ARMS: Final = """SELECT threshold_id, arm, sum(CASE WHEN minute IS NULL THEN units ELSE 0 END),
  sum(CASE WHEN minute IS NULL THEN fraction_nano ELSE 0 END),
  sum(CASE WHEN minute IS NULL THEN 0 ELSE units END)
FROM arm_window LEFT JOIN outage ON minute = time_window / :per_minute
WHERE threshold_id = :threshold AND time_window < :window GROUP BY 1, 2"""
DROP_UNITS: Final = text("DELETE FROM unit_window WHERE threshold_id = :threshold AND time_window < :window")
DROP_ARMS: Final = text("DELETE FROM arm_window WHERE threshold_id = :threshold AND time_window < :window")
ARM_WINDOWS: Final = text("""SELECT arm, time_window, units, fraction_nano, requests, exceedances
FROM arm_window WHERE threshold_id = :threshold ORDER BY arm, time_window""")
FOLDED: Final = text(
    "SELECT arm, units, fraction_nano, outage_units FROM arm_total WHERE threshold_id = :threshold"
)
UNIT_SUMS: Final = text("""WITH parts AS (
  SELECT unit, requests, exceedances FROM unit_window
  WHERE threshold_id = :threshold AND arm = :arm AND time_window >= :since
    AND time_window / :per_minute NOT IN :outages
  UNION ALL
  SELECT unit, requests, exceedances FROM unit_total
  WHERE threshold_id = :threshold AND arm = :arm AND :from_the_beginning
), units AS (SELECT sum(requests) AS x, sum(exceedances) AS y FROM parts GROUP BY unit)
SELECT count(*), coalesce(sum(y > 0), 0), coalesce(sum(y), 0), coalesce(sum(x), 0),
  coalesce(sum(y * y), 0), coalesce(sum(x * y), 0), coalesce(sum(x * x), 0),
  coalesce(sum((y * :nano + x - 1) / x), 0)
FROM units""").bindparams(bindparam("outages", expanding=True))
