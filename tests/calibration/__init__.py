"""Calibration: worlds in which a wrong method must fail and ours must keep its promised error rate."""
