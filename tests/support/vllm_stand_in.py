"""A program that speaks as vLLM's worker does, to stand in the place of the Python that has vLLM."""

import sys
from pathlib import Path

_SPEAKING = """
import json, os, random, sys
from pathlib import Path
READY = {"vllm": "0", "context": 200, "sequences": 4}
def say(**message):
    print(json.dumps(message), flush=True)
setting = json.loads(sys.stdin.readline())
say(ready=READY)
for line in sys.stdin:
    asked = json.loads(line)
    if "rest" in asked:
        say(alive=True)
        say(resting=RESTS)
    elif "change" in asked:
        CHANGES
    elif "drain" in asked:
        say(drained=True)
    elif "key" in asked:
        TEXT
        counts = {"prompt_tokens": 1, "completion_tokens": 1}
        say(key=asked["key"], text=text, finish_reason="stop", tops=[], **counts)
"""
CHANGES = 'setting = asked["change"]; say(ready=READY)'
WHO = """text = f"{os.getpid()} {setting['model']} {setting['adapter']}\""""
"""It says which process it is, and with which weights."""
LETTERS = """
        chance = random.Random(f"{asked['seed']} {Path(setting['model']).parent.name}")
        text = "".join(chance.choices("ab", k=chance.randint(4, 10)))
"""
"""Its answer follows from the seed and from the round that its model is of."""


def stand_in(folder: Path, *, changes: str = CHANGES, rests: bool = True, text: str = WHO) -> str:
    """Write such a program; returns its path."""
    path = folder / "python"
    body = _SPEAKING.replace("CHANGES", changes).replace("RESTS", str(rests)).replace("TEXT", text)
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(0o755)
    return str(path)
