"""The table of commands: where each lives, imported when it is the one asked for."""

from typing import NamedTuple


class Command(NamedTuple):
    """Where a command lives. Its module is imported when it is the one asked for."""

    module: str
    config: str
    function: str
    summary: str


COMMANDS = {
    "sample": Command("pairwright.stages.sample", "SampleConfig", "sample", "Sample answers to prompts."),
    "revise": Command("revise", "ReviseConfig", "revise", "Revise answers into preference pairs."),
    "gate": Command("revise", "GivenPairsConfig", "gate", "Gate pairs that others made."),
    "judge": Command("judge.command", "JudgeConfig", "judge", "Compare answers into preference pairs."),
    "calibrate": Command(
        "judge.calibration.command", "CalibrateConfig", "calibrate", "Measure a judge on labels."
    ),
    "winrate": Command(
        "judge.comparison.command", "WinrateConfig", "winrate", "Compare two models' answers."
    ),
    "eval": Command(
        "judge.evaluation.command", "EvaluateConfig", "evaluate", "Measure models by a verifier."
    ),
    "train": Command("train", "TrainConfig", "train", "Train a model on preference pairs."),
    "reward": Command("train", "RewardConfig", "reward", "Train a reward model on pairs."),
    "score": Command("train", "ScoreConfig", "score", "Score answers with a reward model."),
    "select": Command("train", "SelectConfig", "select", "Keep the pairs that are worth training on."),
    "game": Command("train", "GameConfig", "game", "Play reward model against model."),
    "loop": Command("train", "LoopConfig", "loop", "Go through on-policy rounds."),
    "recipe": Command(
        "pairwright.recipes.command", "RecipeConfig", "recipe", "List, show or run published recipes."
    ),
    "demo": Command("pairwright.cli.demo", "DemoConfig", "demo", "Go the whole way with one small model."),
    "doctor": Command(
        "pairwright.checks.command", "DoctorConfig", "doctor", "Examine this machine and an engine."
    ),
    "stats": Command(
        "pairwright.reports.stats", "StatsConfig", "stats", "Show what a folder holds, in numbers."
    ),
    "merge": Command("pairwright.sift.merge", "MergeConfig", "merge", "Put several runs into one."),
    "split": Command("pairwright.sift.split", "SplitConfig", "split", "Part a run, no prompt in both."),
    "dedup": Command("pairwright.sift.dedup", "DedupConfig", "dedup", "Drop rows that repeat others."),
    "decontaminate": Command(
        "pairwright.sift.decontaminate",
        "DecontaminateConfig",
        "decontaminate",
        "Drop rows that a test set knows.",
    ),
    "export": Command(
        "pairwright.exports.command", "ExportConfig", "export", "Write pairs for another trainer."
    ),
    "review": Command(
        "pairwright.people.review", "ReviewConfig", "review", "Go through pairs in the browser."
    ),
    "label": Command(
        "pairwright.people.label", "LabelConfig", "label", "Compare pairs blind in the browser."
    ),
    "apply": Command(
        "pairwright.people.apply", "ApplyConfig", "apply", "Make a run of what people decided."
    ),
    "report": Command(
        "pairwright.reports.report", "ReportConfig", "report", "Make a page to judge runs by."
    ),
}
