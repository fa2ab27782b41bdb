"""Where things stand in a checkout."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support"
GOLDEN = ROOT / "tests" / "golden"
BENCHMARKS = ROOT / "benchmarks"
CLAIMS = BENCHMARKS / "claims"
AUDITED = str(SUPPORT / "audited.py")
