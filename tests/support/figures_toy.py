"""A training on disk, to draw figures of."""

from pathlib import Path

METRICS = """\
{"step": 0, "epoch": 0.0, "eval_loss": 1.0, "eval_logratios/chosen": 0.0, "eval_logratios/rejected": 0.0}
{"step": 1, "epoch": 0.5, "loss": 0.9, "logratios/chosen": 0.1, "logratios/rejected": -0.4}
{"step": 2, "epoch": 1.0, "loss": 0.7, "logratios/chosen": 0.2, "logratios/rejected": -0.9}
{"step": 2, "eval_loss": 0.8, "eval_logratios/chosen": WON, "eval_logratios/rejected": LOST}
"""


def training(folder: Path, chosen: float = -3.1, rejected: float = -5.0) -> Path:
    folder.mkdir(exist_ok=True)
    text = METRICS.replace("WON", str(chosen)).replace("LOST", str(rejected))
    (folder / "metrics.jsonl").write_text(text + '{"step": 3, "lo')
    return folder
