"""Training: pairs to weights, of a policy or of a reward model.

The algorithm is `_updates`; what comes before it prepares and what comes after it publishes. What is
minimised is the task's affair. As in the papers the reference is the model at its start, and stays
so; unlike in most trainers its log-probabilities are computed once, and dropout is off.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pairwright.errors import PairwrightError
from pairwright.folders.durable import TEMPORARY, require_space
from pairwright.folders.lock import FolderLock
from pairwright.terminal.interrupt import Interrupted, stop_requested
from train.config import TrainingConfig
from train.devices.accelerator import accelerator_for
from train.devices.memory import freed_memory_kept, peak_memory_gib
from train.devices.processes import agreed, on_first, say
from train.models.language import in_dtype, not_finite, save_model, trained
from train.models.towers import copy_processor
from train.output.card import write_model_card
from train.output.carried import save_optimizer
from train.output.checkpoint import checkpoint_folder, rotate, write_checkpoint
from train.output.folder import (
    TRACKERS,
    check_folder,
    enter,
    find_checkpoint,
    finished_for_reading,
    publish,
)
from train.output.record import RunRecord, TrainResult, result_of
from train.output.state import save_training, whole_model
from train.output.trackers import check_trackers
from train.trainer.gradient import add_gradient, evaluate, stop_if_unsound
from train.trainer.plan import plan, require_enough, require_what_trains
from train.trainer.prepare import Prepared, check_start, prepare, resume
from train.trainer.rehearsal import dry_run, preview
from train.trainer.schedule import learning_rate
from train.trainer.task import Task


@freed_memory_kept()
def train_task(config: TrainingConfig, task: Task) -> TrainResult:
    """Run a task as the settings say, or go on with a run that was cut short.

    Raises `UsageError` for what cannot be used as given, before anything is written, and
    `PairwrightError` for what went wrong; the same command then goes on from the last checkpoint.
    """
    if config.preview:
        return preview(plan(config, task))
    started = time.monotonic()
    output = Path(config.output_dir)
    check_folder(config)
    check_trackers(config.report_to)
    with accelerator_for(config, trackers=output / TRACKERS) as accelerator:
        require_what_trains(accelerator, config)
        planned = plan(config, task)
        if config.dry_run:
            return dry_run(planned, accelerator)
        require_enough(accelerator, planned.schedule)
        there = None if config.fresh else finished_for_reading(output, planned.record)
        if there is not None:
            say(f"{output}: this run is finished already, in a folder that can only be read")
            return result_of(config, there, "already_finished")
        with FolderLock(output) if accelerator.is_main_process else nullcontext():
            record, checkpoint = on_first(accelerator, lambda: _enter(config, planned.record))
            if record.status == "finished":
                say(f"{output}: this run is finished already; --fresh trains it again")
                return result_of(config, record, "already_finished")
            prepared = prepare(planned, record, accelerator)
            done = resume(prepared, checkpoint)
            with stop_requested() as stopping:
                _updates(prepared, done, stopping)
            aside = _conclude(prepared)
            if config.save_optimizer:
                whole = prepared.state.whole(accelerator)
                on_first(accelerator, lambda: save_optimizer(whole, output))
            model = whole_model(prepared.state, accelerator)
            record = on_first(
                accelerator, lambda: _publish(prepared, model, aside, time.monotonic() - started)
            )
    return result_of(config, record, "trained")


def _updates(prepared: Prepared, done: int, stopping: Callable[[], bool]) -> None:
    """Make every update after the first `done`."""
    config, schedule, optimizer = prepared.config, prepared.schedule, prepared.state.optimizer
    weights = list(trained(prepared.state.model).values())
    part, parts = config.parts
    before = (part - 1) * schedule.num_updates
    if done == 0:
        _evaluate(prepared, 0)
        check_start(prepared)
    for update in range(done + 1, schedule.num_updates + 1):
        rate = learning_rate(
            update + before,
            schedule.num_updates * parts,
            peak=config.learning_rate,
            warmup_ratio=config.warmup_ratio,
            kind=config.lr_scheduler_type,
        )
        pairs = schedule.pairs_of(update)
        suspects = add_gradient(prepared.run, prepared.training, pairs, prepared.state.window)
        norm = prepared.run.strategy.clip(weights, config.max_grad_norm)
        stop_if_unsound(prepared.run, suspects, prepared.training, norm)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()

        last = update == schedule.num_updates
        stop = agreed(prepared.accelerator, stopping()) and not last
        if update == 1 and not norm.item():
            say(
                "the gradient of the first update is 0: nothing is learned from it; are the weights those "
                "of a model, and is there anything of it that trains (lora_alpha, lora_target_modules)?"
            )
        if last or update % config.logging_steps == 0:
            _log(prepared, update, grad_norm=norm.item(), learning_rate=rate)
        if last or (config.eval_steps and update % config.eval_steps == 0):
            _evaluate(prepared, update)
        if config.save_steps and (stop or update % config.save_steps == 0):
            _save(prepared, update)
        if stop:
            place = "there" if config.save_steps else "the start (save_steps is 0)"
            raise Interrupted(
                f"stopped after update {update} of {schedule.num_updates}; the same command goes on "
                f"from {place}"
            )


def _enter(config: TrainingConfig, planned: RunRecord) -> tuple[RunRecord, Path | None]:
    """The record to work under, and the checkpoint to go on from."""
    output = Path(config.output_dir)
    record = enter(output, planned, fresh=config.fresh)
    if record.status == "finished":
        return record, None
    return record, find_checkpoint(output, record.identity)


def _log(prepared: Prepared, update: int, *, grad_norm: float, learning_rate: float) -> None:
    """Report the means since the last report."""
    means = prepared.state.window.means(prepared.accelerator)
    prepared.state.window.clear()
    means |= {"grad_norm": grad_norm, "learning_rate": learning_rate}
    prepared.reporter.report(update, prepared.schedule.epoch_after(update), means)


def _evaluate(prepared: Prepared, update: int) -> None:
    """Report the means over the held-out pairs, if there are any."""
    if prepared.held_out.items:
        means = evaluate(prepared.run, prepared.held_out)
        prepared.reporter.report(update, prepared.schedule.epoch_after(update), means)


def _save(prepared: Prepared, update: int) -> None:
    """Write a checkpoint, then remove the oldest."""
    state = prepared.state.whole(prepared.accelerator)
    identity = prepared.record.identity

    def write() -> None:
        weights = sum(p.numel() * p.element_size() for p in trained(state.model).values())
        require_space(prepared.output, 3 * weights)  # the weights and AdamW's two moments of each
        write_checkpoint(
            checkpoint_folder(prepared.output, update),
            lambda folder: save_training(state, folder, update=update, identity=identity),
        )
        rotate(prepared.output, prepared.config.save_total_limit)

    on_first(prepared.accelerator, write)


def _conclude(prepared: Prepared) -> Path:
    """The folder beside, with what the task writes of the trained model on all its processes."""
    aside = prepared.output / f"{TEMPORARY}model"
    on_first(prepared.accelerator, lambda: shutil.rmtree(aside, ignore_errors=True))
    prepared.run.task.conclude(prepared.run, prepared.held_out, aside)
    return aside


def _require_finite(model: Any, advice: str) -> None:
    """Raise `PairwrightError`, naming a weight, rather than write an infinity or NaN."""
    if bad := not_finite(dict(model.named_parameters())):
        raise PairwrightError(
            f"after the last update {bad[0]} is not finite, and was not written; {advice}"
        )


def _publish(prepared: Prepared, model: Any, aside: Path, seconds: float) -> RunRecord:
    """Put the trained model into the output folder and finish its record."""
    config = prepared.config
    published = prepared.run.task.publishable(model)
    _require_finite(published, "train with a lower learning_rate in another output_dir")
    published = in_dtype(published, config.save_dtype, config.model)
    _require_finite(published, "it is in the training's own format: --save_dtype bfloat16 or float32")
    weights = sum(p.numel() * p.element_size() for p in trained(published).values())
    require_space(prepared.output, weights)
    save_model(published, prepared.state.tokenizer, aside)
    copy_processor(config.model, aside)
    start, last = prepared.log.ends()
    record = prepared.record.model_copy(
        update={
            "start_metrics": start,
            "metrics": last,
            "seconds": seconds,
            "peak_memory_gib": peak_memory_gib(),
        }
    )
    write_model_card(aside, prepared.output, record)
    record = publish(prepared.output, aside, record)
    say(f"{prepared.output}: trained in {seconds:.0f} s")
    return record
