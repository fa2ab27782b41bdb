"""Preview of a loop: what each step of a round would ask."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from pairwright.inputs.row import Row
from train.devices.processes import say
from train.on_policy.config import LoopConfig
from train.on_policy.slices import prompts_of_round
from train.on_policy.steps import Commands, Steps
from train.on_policy.tasks import of_one_task_first
from train.rounds.preview import Filler


def rehearse(
    config: LoopConfig, commands: Commands, training: Sequence[Row], held_out: Sequence[Row]
) -> None:
    """Show or count what each step of a round asks; sends no request and leaves no file."""
    with tempfile.TemporaryDirectory() as place:
        filler = Filler(config, Path(place), config.sample.max_tokens)
        steps, n = Steps(config, filler.folder, 1), config.sample.n
        start = {"policy": Steps(config, filler.folder, 0).looking.policy}
        filler.step("sample: answers to the prompts")
        training = prompts_of_round(training, 1, config.prompts_per_round)
        training = of_one_task_first(config, training)
        steps.here.mkdir()
        filler.prompts(str(steps.prompts.relative_to(filler.folder)), training)
        commands.sample(steps.answering.model_copy(update=filler.look))
        answers = {"input": filler.answers("answers.jsonl", training, n)}
        if config.judges:
            filler.step("judge: pairs of these answers")
            commands.judge(steps.judging.model_copy(update=filler.look | answers))
        if config.revises:
            filler.step("revise: pairs of these answers and their revisions")
            commands.revise(steps.revising.model_copy(update=filler.look | answers))
        filler.step("train: on the pairs, were all of them kept")
        pairs = filler.pairs("pairs.jsonl", training, config.judges + n * config.revises)
        commands.train(steps.training((pairs,)).model_copy(update=filler.look))
        filler.prompts("eval_prompts.jsonl", held_out)
        if config.samples_held_out:
            filler.step("sample: answers to the held-out prompts, which the start is asked for too")
            commands.sample(steps.looking.model_copy(update=filler.look | start))
        if config.evaluates:
            filler.step("eval: the round's model on the held-out prompts, and the start")
            models = {"models": start["policy"]}
            commands.evaluate(steps.evaluating.model_copy(update=filler.look | models))
        if config.compares:
            filler.step("winrate: these answers beside those of the start")
            sides = {
                side: filler.answers(f"{side}.jsonl", held_out, 1, first=n) for n, side in enumerate("ab")
            }
            commands.winrate(steps.comparing.model_copy(update=filler.look | sides))
    say(f"these are the steps of each of {config.rounds} rounds; nothing was asked and nothing is written")
