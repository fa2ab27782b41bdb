"""Seconds until `review` shows the first of a million pairs, and what each key press takes.

    python benchmarks/review_of_a_million.py --rows 1000000

The folder is the one of `stats_of_a_million.py`. Every question goes over HTTP, as from the page; opening
is the whole command in a process of its own, from its start to the first pair. What it takes of the
processor is told beside, since a machine at load makes everybody wait.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from stats_of_a_million import write_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="a run of an earlier time, written where there is none")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.folder or Path(name) / "run"
        if not folder.exists():
            write_run(folder, given.rows)
        (folder / "review.sqlite").unlink(missing_ok=True)
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        started = time.perf_counter()
        command = [sys.executable, "-m", "pairwright", "review", str(folder), "--no_browser"]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        address, token = re.findall(r"(http://\S+)/\?token=(\S+)", server.stderr.readline())[0]
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}) as client:
            asked(client, "start", {})
            seconds, first = asked(client, "pair", {"status": "kept"})
            print(
                f"open: {time.perf_counter() - started:.2f} s, of it {seconds:.2f} s for the first pair; "
                f"{processor(server.pid):.2f} s of processor"
            )
            before = processor(server.pid)
            times: dict[str, list[float]] = {"accept and next": [], "measure": []}
            row = first["row"]
            for at in range(given.presses):
                fields = {"place": row["place"], "kind": "accept"}
                times["measure"].append(
                    asked(client, "measure", fields | {"text": row["chosen"] + " So."})[0]
                )
                fields["next"] = {"status": "kept", "at": at + 1}  # as the page asks for both at once
                seconds, found = asked(client, "decide", fields)
                times["accept and next"].append(seconds)
                row = found["row"]
            for what, some in times.items():
                middle, cut = 1000 * statistics.median(some), 1000 * statistics.quantiles(some, n=20)[-1]
                print(f"{what}: median {middle:.0f} ms, 95 % under {cut:.0f} ms")
            each = 1000 * (processor(server.pid) - before) / (2 * given.presses)
            print(f"each of them: {each:.0f} ms of processor")
            for phrase in ("999998 plus", "nobody says this"):
                seconds, found = asked(client, "pair", {"status": "", "phrase": phrase, "view": phrase})
                print(f"search {phrase!r}: {found['total']:,} rows in {seconds:.1f} s")
        memory = re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())[0]
        print(f"memory: {int(memory) / 1024:,.0f} MiB")
        server.terminate()
        server.wait()


def processor(process: int) -> float:
    """Seconds of processor that a process has taken."""
    times = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def asked(client: httpx.Client, question: str, fields: dict[str, Any]) -> tuple[float, Any]:
    """Seconds, and what was answered."""
    started = time.perf_counter()
    reply = client.post(f"/api/{question}", json=fields, timeout=120)
    reply.raise_for_status()
    return time.perf_counter() - started, reply.json()


if __name__ == "__main__":
    main()
