"""The table of commands: where each one's settings and its function live, imported when they are needed."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pairwright.config import Config


class Command(NamedTuple):
    """A command. Help pages need its settings alone, which are light; its function comes with the work."""

    settings: str
    function: str
    summary: str

    def config(self) -> "type[Config]":
        """Import the class of its settings."""
        found: type[Config] = _found(self.settings)
        return found

    def run(self, config: "Config") -> Any:
        """Import its function and call it."""
        return _found(self.function)(config)


def _found(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


COMMANDS = {
    "sample": Command(
        "pairwright.stages.sample:SampleConfig",
        "pairwright.stages.sample:sample",
        "Sample answers to prompts.",
    ),
    "revise": Command(
        "revise.config:ReviseConfig",
        "revise.command:revise",
        "Revise answers into preference pairs.",
    ),
    "gate": Command(
        "revise.config:GivenPairsConfig",
        "revise.command:gate",
        "Gate pairs that others made.",
    ),
    "judge": Command(
        "judge.config:JudgeConfig",
        "judge.command:judge",
        "Compare answers into preference pairs.",
    ),
    "calibrate": Command(
        "judge.calibration.config:CalibrateConfig",
        "judge.calibration.command:calibrate",
        "Measure a judge on labels.",
    ),
    "winrate": Command(
        "judge.comparison.config:WinrateConfig",
        "judge.comparison.command:winrate",
        "Compare models' answers.",
    ),
    "eval": Command(
        "judge.evaluation.config:EvaluateConfig",
        "judge.evaluation.command:evaluate",
        "Measure models by a verifier.",
    ),
    "train": Command(
        "train.preference.config:TrainConfig",
        "train.training:train",
        "Train a model on preference pairs.",
    ),
    "sweep": Command(
        "train.selection.hyperparameters.config:SweepConfig",
        "train.selection.hyperparameters.sweep:sweep",
        "Train over a grid of settings.",
    ),
    "reward": Command(
        "train.reward_model.config:RewardConfig",
        "train.training:train",
        "Train a reward model on pairs.",
    ),
    "score": Command(
        "train.reward_model.config:ScoreConfig",
        "train.reward_model.score:score",
        "Score answers with a reward model.",
    ),
    "select": Command(
        "train.selection.config:SelectConfig",
        "train.selection.selection:select",
        "Keep the pairs that are worth training on.",
    ),
    "game": Command(
        "train.adversarial.config:GameConfig",
        "train.adversarial.command:game",
        "Play reward model against model.",
    ),
    "loop": Command(
        "train.on_policy.config:LoopConfig",
        "train.on_policy.command:loop",
        "Go through on-policy rounds.",
    ),
    "recipe": Command(
        "pairwright.recipes.command:RecipeConfig",
        "pairwright.recipes.command:recipe",
        "List, show or run published recipes.",
    ),
    "demo": Command(
        "pairwright.cli.demo:DemoConfig",
        "pairwright.cli.demo:demo",
        "Go the whole way with one small model.",
    ),
    "doctor": Command(
        "pairwright.checks.command:DoctorConfig",
        "pairwright.checks.command:doctor",
        "Examine this machine and an engine.",
    ),
    "stats": Command(
        "pairwright.reports.stats:StatsConfig",
        "pairwright.reports.stats:stats",
        "Show what a folder holds, in numbers.",
    ),
    "merge": Command(
        "pairwright.sift.merge:MergeConfig",
        "pairwright.sift.merge:merge",
        "Put several runs into one.",
    ),
    "split": Command(
        "pairwright.sift.split:SplitConfig",
        "pairwright.sift.split:split",
        "Part a run, no prompt in both.",
    ),
    "dedup": Command(
        "pairwright.sift.dedup:DedupConfig",
        "pairwright.sift.dedup:dedup",
        "Drop rows that repeat others.",
    ),
    "decontaminate": Command(
        "pairwright.sift.decontaminate:DecontaminateConfig",
        "pairwright.sift.decontaminate:decontaminate",
        "Drop rows that a test set knows.",
    ),
    "export": Command(
        "pairwright.exports.command:ExportConfig",
        "pairwright.exports.command:export",
        "Write pairs for another trainer.",
    ),
    "review": Command(
        "pairwright.people.config:ReviewConfig",
        "pairwright.people.review:review",
        "Go through pairs in the browser.",
    ),
    "label": Command(
        "pairwright.people.config:LabelConfig",
        "pairwright.people.label:label",
        "Compare pairs blind in the browser.",
    ),
    "apply": Command(
        "pairwright.people.config:ApplyConfig",
        "pairwright.people.apply:apply",
        "Make a run of what people decided.",
    ),
    "report": Command(
        "pairwright.reports.report:ReportConfig",
        "pairwright.reports.report:report",
        "Make a page to judge runs by.",
    ),
}
