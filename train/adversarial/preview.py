"""Preview of a game: what each step of a round would ask."""

import tempfile
from pathlib import Path

from train.adversarial.config import GameConfig
from train.adversarial.prompts import Halves
from train.adversarial.steps import Commands, Steps, writing_golden
from train.devices.processes import say
from train.rounds.preview import Filler


def rehearse(config: GameConfig, commands: Commands, halves: Halves) -> None:
    """Show or count what each step of a round asks; sends no request and leaves no file.

    The reward models are left out of it: scoring and training them asks nobody.
    """
    with tempfile.TemporaryDirectory() as place:
        filler = Filler(config, Path(place), config.sample.max_tokens)
        steps, n = Steps(config, filler.folder, 1), config.sample.n
        rm, llm, evaluation = (
            filler.prompts(f"{name}.jsonl", rows) for name, rows in zip(Halves._fields, halves, strict=True)
        )
        if config.golden_engine and halves.rm:
            filler.step("sample: golden answers, once for the whole game")
            writing = writing_golden(config, rm, filler.folder / "golden")
            commands.sample(writing.model_copy(update=filler.look))
        if halves.rm:
            filler.step("sample: answers that golden ones are set against")
            commands.sample(steps.answering(rm, "rm_samples").model_copy(update=filler.look))
        filler.step("sample: answers that the language model learns from")
        commands.sample(steps.answering(llm, "llm_samples").model_copy(update=filler.look))
        filler.step("train: the language model, were all of these scored")
        scored = filler.answers("scored.jsonl", halves.llm, n, scored=True)
        commands.train(steps.training.model_copy(update=filler.look | {"data": (scored,)}))
        filler.step("sample: answers that are looked at, which the start is asked for too")
        start = {"policy": Steps(config, filler.folder, 0).looking(evaluation).policy}
        commands.sample(steps.looking(evaluation).model_copy(update=filler.look | start))
        if config.evaluates:
            filler.step("eval: the round's model on these prompts, and the start")
            measuring = steps.measuring(evaluation).model_copy(update={"models": start["policy"]})
            commands.evaluate(measuring.model_copy(update=filler.look))
        if config.winrate.judge is not None:
            filler.step("winrate: these answers beside those of the start")
            sides = {
                side: filler.answers(f"{side}.jsonl", halves.evaluation, 1, first=n)
                for n, side in enumerate("ab")
            }
            comparing = steps.comparing(evaluation)
            commands.winrate(comparing.model_copy(update=filler.look | sides))
    say(f"these are the steps of each of {config.rounds} rounds; nothing was asked and nothing is written")
