"""Many rows through the whole of `revise`: peak memory, and how soon a finished run is found finished.

    python benchmarks/million_rows.py --rows 1000000

The reviser is canned and instant. The command runs three times: on a tenth of the rows, on all of them,
and on all of them again, when nothing is left to do. Peak memory is the whole process's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from revise_rows import ANSWER, REVISION


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reply = f"<rationale>the sum was wrong</rationale>\n<revision>{REVISION}</revision>"
        (folder / "reply.jsonl").write_text(json.dumps({"text": reply}) + "\n")
        with (folder / "rows.jsonl").open("w") as file:
            for n in range(given.rows):
                row = {"prompt": f"What is {n} plus one?", "response": ANSWER.format(n=n), "tag": n % 7}
                file.write(json.dumps(row) + "\n")
        few = given.rows // 10
        for rows, out, what in ((few, "few", ""), (given.rows, "all", ""), (given.rows, "all", " again")):
            seconds, peak = revised(folder, out, rows)
            megabytes = sum(p.stat().st_size for p in (folder / out).rglob("*") if p.is_file()) / 2**20
            print(
                f"{rows:,} rows{what}: {seconds:,.1f} s, {rows / seconds:,.0f} rows/s, "
                f"peak {peak / 2**20:,.0f} MiB, folder {megabytes:,.0f} MiB",
                flush=True,
            )


def revised(folder: Path, out: str, rows: int) -> tuple[float, int]:
    """Seconds of the command, and its peak memory in bytes."""
    command = [sys.executable, "-m", "pairwright", "revise", str(folder / "rows.jsonl"), "--no_retry"]
    command += ["--reviser", f"canned:{folder / 'reply.jsonl'}", "--out", str(folder / out)]
    started = time.perf_counter()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([*command, "--limit", str(rows)], stdout=quiet, stderr=quiet)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"exit {status}"
    return time.perf_counter() - started, usage.ru_maxrss * 1024


if __name__ == "__main__":
    main()
