"""The statements of `rollout.store.window_counts`, whole, as the database sees them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, text

STAGES: Final = {
    "arriving": """threshold_id INTEGER, arm TEXT, unit BIGINT, time_window BIGINT,
  requests BIGINT, exceedances BIGINT""",
    "outage": "threshold_id INTEGER, minute BIGINT, PRIMARY KEY (threshold_id, minute)",
}
DROP_UNITLESS: Final = text("DELETE FROM arriving WHERE unit IS NULL")
COUNT_NEW: Final = text("""SELECT new.threshold_id, count(*) FROM arriving new
LEFT JOIN unit_window old USING (threshold_id, time_window, arm, unit)
WHERE old.requests IS NULL GROUP BY new.threshold_id""")
DROP_NEW: Final = text("""DELETE FROM arriving WHERE threshold_id IN :thresholds AND NOT EXISTS (
  SELECT 1 FROM unit_window old WHERE old.threshold_id = arriving.threshold_id
    AND old.time_window = arriving.time_window AND old.arm = arriving.arm AND old.unit = arriving.unit)
""").bindparams(bindparam("thresholds", expanding=True))
KEPT: Final = text("SELECT threshold_id, arm, unit, time_window, requests, exceedances FROM arriving")
UNITLESS: Final = text("""SELECT threshold_id, arm, time_window, 0, 0, requests, exceedances FROM arriving
WHERE unit IS NULL""")
ARRIVED: Final = (
    """SELECT threshold_id, time_window, arm, unit, requests, exceedances FROM arriving WHERE true"""
)
# A fraction is rounded down here: an alarm never gains by it.
CHANGES: Final = text("""SELECT threshold_id, arm, time_window,
  sum(CASE WHEN old.requests IS NULL THEN 1 ELSE 0 END),
  CAST(sum((coalesce(old.exceedances, 0) + new.exceedances) * :nano
      / (coalesce(old.requests, 0) + new.requests)
    - coalesce(old.exceedances * :nano / old.requests, 0)) AS BIGINT),
  CAST(sum(new.requests) AS BIGINT), CAST(sum(new.exceedances) AS BIGINT)
FROM arriving new LEFT JOIN unit_window old USING (threshold_id, arm, unit, time_window)
GROUP BY 1, 2, 3""")

BASELINE_MINUTES: Final = text("""SELECT threshold.id, share, time_window / :per_minute,
  CAST(sum(requests) AS BIGINT), CAST(sum(exceedances) AS BIGINT)
FROM threshold JOIN arm_window ON threshold_id = threshold.id AND arm IN :arms AND time_window < :window
WHERE side = :side GROUP BY 1, 2, 3 ORDER BY 1, 3""").bindparams(bindparam("arms", expanding=True))
_OLD_UNITS: Final = """FROM threshold
JOIN unit_window old ON old.threshold_id = threshold.id AND time_window < :window
LEFT JOIN outage ON outage.threshold_id = threshold.id AND minute = time_window / :per_minute
WHERE minute IS NULL"""
NEW_TOTALS: Final = text(f"""SELECT threshold_id, count(*) FROM (
  SELECT DISTINCT old.threshold_id, arm, unit {_OLD_UNITS}) found
WHERE NOT EXISTS (SELECT 1 FROM unit_total known WHERE known.threshold_id = found.threshold_id
  AND known.arm = found.arm AND known.unit = found.unit)
GROUP BY threshold_id""")  # noqa: S608 (constants of this module)
FOLD_UNITS: Final = f"""SELECT old.threshold_id, arm, unit, sum(requests), sum(exceedances) {_OLD_UNITS}
  AND (:has_room OR EXISTS (SELECT 1 FROM unit_total known WHERE known.threshold_id = old.threshold_id
    AND known.arm = old.arm AND known.unit = old.unit))
GROUP BY 1, 2, 3"""  # noqa: S608
FOLD_ARMS: Final = """SELECT old.threshold_id, arm, sum(CASE WHEN minute IS NULL THEN units ELSE 0 END),
  sum(CASE WHEN minute IS NULL THEN fraction_nano ELSE 0 END),
  sum(CASE WHEN minute IS NULL THEN 0 ELSE units END), 0
FROM threshold
JOIN arm_window old ON old.threshold_id = threshold.id AND time_window < :window
LEFT JOIN outage ON outage.threshold_id = threshold.id AND minute = time_window / :per_minute
WHERE true GROUP BY 1, 2"""
# Of one side there are no outages: each of its unit-minutes counts.
FOLD_SLOW: Final = """SELECT threshold_id, arm, 0, 0, 0, count(*) FROM (
  SELECT DISTINCT old.threshold_id, arm, unit, time_window / :per_minute AS minute
  FROM threshold
  JOIN unit_window old ON old.threshold_id = threshold.id AND time_window < :window AND exceedances > 0
  WHERE side <> :side) slow
WHERE true GROUP BY 1, 2"""
TOTAL_NOW: Final = " RETURNING threshold_id, arm, units, fraction_nano, outage_units, slow_minutes"
DROP_UNITS: Final = text("""DELETE FROM unit_window
WHERE threshold_id IN (SELECT id FROM threshold) AND time_window < :window""")
DROP_ARMS: Final = text("""DELETE FROM arm_window WHERE (threshold_id, arm) IN (
  SELECT threshold_id, arm FROM arm_total) AND time_window < :window""")

ARM_WINDOWS: Final = text("""SELECT threshold_id, arm, time_window, units, fraction_nano,
  requests, exceedances
FROM arm_window WHERE threshold_id = :threshold ORDER BY arm, time_window""")
ARM_TOTALS: Final = text("""SELECT threshold_id, arm, units, fraction_nano, outage_units, slow_minutes
FROM arm_total WHERE threshold_id = :threshold""")
UNIT_WINDOWS: Final = text("""SELECT threshold_id, arm, unit, time_window, requests, exceedances
FROM unit_window WHERE threshold_id = :threshold AND arm = :arm""")
UNIT_TOTALS: Final = text(
    "SELECT unit, requests, exceedances FROM unit_total WHERE threshold_id = :threshold AND arm = :arm"
)
