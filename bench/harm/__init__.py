"""How long harm lasts: from a candidate's first bad answer until Envoy's weight for it is zero."""
