"""How far a judge can be trusted: agreement with labels, calibration, attacks."""
