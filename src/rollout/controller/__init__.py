"""The reconcile loop: observe, judge, decide, record once, converge always."""
