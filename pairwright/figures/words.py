"""What training did, in two sentences."""

from pairwright.figures.training import TrainingFigures

SINGLE = ("kto", "bco", "apo_zero_unpaired")
"""Losses that have a form for single answers."""
_STILL = 0.05
"""Nats an answer that count as no movement."""


def in_words(training: TrainingFigures) -> str:
    """Sum up in two sentences where chosen and rejected went, and what to look at next.

    A third says so where only a share of that was merged into the model that was written.
    Held-out pairs are used if there are some. Without a reference there are no log-ratios; then it is where
    the log-probabilities of held-out pairs went since before the first update. Empty for a run that has
    neither, such as a reward model's.
    """
    held_out = "logratios/chosen" in training.held_out
    curves = training.held_out if held_out else training.curves
    rose = curves.get("logratios/chosen_rose")
    if {"logratios/chosen", "logratios/rejected"} <= curves.keys():
        chosen, rejected = curves["logratios/chosen"].last, curves["logratios/rejected"].last
    elif {"logps/chosen", "logps/rejected"} <= training.held_out.keys():
        held_out = True
        begun_and_ended = (training.held_out[f"logps/{side}"] for side in ("chosen", "rejected"))
        chosen, rejected = (curve.last - curve.first for curve in begun_and_ended)
    else:
        return ""
    # Single answers, each labelled, are never compared two by two, so they have no margins.
    single = training.settings.get("loss") in SINGLE and "rewards/margins" not in curves
    of, good, bad = ("answers", "desirable", "undesirable") if single else ("pairs", "chosen", "rejected")
    where = f"On held-out {of}" if held_out else f"On the {of} trained on"
    moved = f"{where}, {good} answers {_moved(chosen)} and {bad} answers {_moved(rejected)}"
    share = f"; {rose.last:.0%} of the chosen ones became likelier" if rose is not None else ""
    meaning = _of_single(chosen, rejected) if single else _meaning(chosen, rejected)
    return f"{moved}{share}. {meaning}{_of_merged(training.settings.get('merge_scale', 1.0))}"


def _of_merged(share: float) -> str:
    """That the model which was written is not the one that was measured."""
    if share == 1:
        return ""
    return (
        f" All of this is of the whole adapter: the model has {share:.0%} of it (`merge_scale`), "
        "and moved less."
    )


def _moved(nats: float) -> str:
    if abs(nats) < _STILL:
        return "stayed where they were"
    return f"{'rose' if nats > 0 else 'fell'} by {abs(nats):.2f} nats"


def _of_single(desirable: float, undesirable: float) -> str:
    """What it means for answers that are labelled one by one."""
    apart = desirable - undesirable
    if abs(apart) < _STILL:
        return (
            "They hardly moved apart: more updates or a higher learning rate are needed to see an effect."
        )
    if apart < 0:
        return (
            f"They moved apart by {-apart:.2f} nats the wrong way: look at the learning rate, and at which "
            "label means desirable."
        )
    if desirable < -_STILL:
        return (
            f"They moved apart by {apart:.2f} nats, but desirable answers fell too: an SFT term "
            "(`--sft_weight`) holds them up, as does `--desirable_weight`."
        )
    return f"They moved apart by {apart:.2f} nats without costing the desirable answers."


def _meaning(chosen: float, rejected: float) -> str:
    margin = chosen - rejected
    if margin < -_STILL:
        return (
            f"The margin shrank by {-margin:.2f} nats: the model learned the opposite of the pairs, so "
            "look at the learning rate and at which side is called chosen."
        )
    if margin < _STILL:
        return (
            "The margin hardly moved: more updates or a higher learning rate are needed to see an effect."
        )
    if chosen < -_STILL:
        return (
            f"Chosen fell while the margin grew by {margin:.2f} nats: the pairs push both answers down, "
            "which an SFT term (`--sft_weight`, RPO) or `apo_zero` counteracts."
        )
    if chosen > _STILL and rejected > _STILL:
        return (
            f"Both rose and the margin grew by {margin:.2f} nats: the model moves towards the pairs' "
            "common ground, as an SFT term or chosen answers better than its own make it do."
        )
    return f"The margin grew by {margin:.2f} nats without costing the chosen answers: what APO-zero is for."
