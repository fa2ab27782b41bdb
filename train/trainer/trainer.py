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

from pairwright.folders.durable import TEMPORARY, require_space
from pairwright.folders.lock import FolderLock
from pairwright.terminal.interrupt import Interrupted, stop_requested
from train.config import TrainingConfig
from train.devices.accelerator import accelerator_for
from train.devices.memory import freed_memory_kept, peak_memory_gib
from train.devices.processes import agreed, on_first, say
from train.models.language import load_tokenizer, save_model, trained
from train.output.card import write_model_card
from train.output.checkpoint import checkpoint_folder, rotate, write_checkpoint
from train.output.folder import TRACKERS, check_folder, enter, find_checkpoint, publish
from train.output.record import TrainRecord, TrainResult, result_of
from train.output.state import save_training, snapshot, whole_model
from train.output.trackers import check_trackers
from train.trainer.gradient import add_gradient, clip_gradient, evaluate, stop_if_unsound
from train.trainer.plan import describe, require_enough, require_what_trains
from train.trainer.prepare import Run, check_start, prepare, resume
from train.trainer.rehearsal import dry_run, preview
from train.trainer.schedule import learning_rate, plan
from train.trainer.task import Task


@freed_memory_kept()
def train(config: TrainingConfig, task: Task) -> TrainResult:
    """Run a task as the settings say, or go on with a run that was cut short.

    Raises `UsageError` for what cannot be used as given, before anything is written, and
    `PairwrightError` for what went wrong; the same command then goes on from the last checkpoint.
    """
    if config.preview:
        return preview(config, task)
    if config.dry_run:
        return dry_run(config, task)
    started = time.monotonic()
    output = Path(config.output_dir)
    check_folder(output)
    check_trackers(config.report_to)
    with accelerator_for(config, trackers=output / TRACKERS) as accelerator:
        require_what_trains(accelerator, config)
        tokenizer = load_tokenizer(config.model)
        pairs = task.read(tokenizer)
        schedule = plan(config, pairs.training)
        require_enough(accelerator, schedule)
        planned = describe(config, task, tokenizer, pairs, schedule)
        with FolderLock(output) if accelerator.is_main_process else nullcontext():
            record, checkpoint = on_first(accelerator, lambda: _enter(config, planned))
            if record.status == "finished":
                say(f"{output}: this run is finished already; --fresh trains it again")
                return result_of(config, record, "already_finished")
            run = prepare(config, task, record, schedule, accelerator, pairs, tokenizer)
            done = resume(run, checkpoint)
            with stop_requested() as stopping:
                _updates(run, done, stopping)
            aside, model = _conclude(run), whole_model(run.state, accelerator)
            record = on_first(accelerator, lambda: _publish(run, model, aside, time.monotonic() - started))
    return result_of(config, record, "trained")


def _updates(run: Run, done: int, stopping: Callable[[], bool]) -> None:
    """Make every update after the first `done`."""
    config, schedule, optimizer = run.config, run.schedule, run.state.optimizer
    weights = list(trained(run.state.model).values())
    if done == 0:
        _evaluate(run, 0)
        check_start(run)
    for update in range(done + 1, schedule.num_updates + 1):
        rate = learning_rate(
            update,
            schedule.num_updates,
            peak=config.learning_rate,
            warmup_ratio=config.warmup_ratio,
            kind=config.lr_scheduler_type,
        )
        pairs = schedule.pairs_of(update)
        suspects = add_gradient(run.trainee, run.training, pairs, run.state.window)
        norm = clip_gradient(optimizer, weights, config.max_grad_norm)
        stop_if_unsound(run.trainee, suspects, run.training, norm)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()

        last = update == schedule.num_updates
        stop = agreed(run.accelerator, stopping()) and not last
        if last or update % config.logging_steps == 0:
            _log(run, update, grad_norm=norm.item(), learning_rate=rate)
        if last or (config.eval_steps and update % config.eval_steps == 0):
            _evaluate(run, update)
        if config.save_steps and (stop or update % config.save_steps == 0):
            _save(run, update)
        if stop:
            place = "there" if config.save_steps else "the start (save_steps is 0)"
            raise Interrupted(
                f"stopped after update {update} of {schedule.num_updates}; the same command goes on "
                f"from {place}"
            )


def _enter(config: TrainingConfig, planned: TrainRecord) -> tuple[TrainRecord, Path | None]:
    """The record to work under, and the checkpoint to go on from."""
    output = Path(config.output_dir)
    record = enter(output, planned, fresh=config.fresh)
    if record.status == "finished":
        return record, None
    return record, find_checkpoint(output, record.identity)


def _log(run: Run, update: int, *, grad_norm: float, learning_rate: float) -> None:
    """Report the means since the last report."""
    means = run.state.window.means(run.accelerator)
    run.state.window.clear()
    means |= {"grad_norm": grad_norm, "learning_rate": learning_rate}
    run.reporter.report(update, run.schedule.epoch_after(update), means)


def _evaluate(run: Run, update: int) -> None:
    """Report the means over the held-out pairs, if there are any."""
    if run.held_out.pairs:
        means = evaluate(run.trainee, run.held_out)
        run.reporter.report(update, run.schedule.epoch_after(update), means)


def _save(run: Run, update: int) -> None:
    """Write a checkpoint, then let go of the oldest."""
    state = snapshot(run.state, run.accelerator)
    identity = run.record.identity

    def write() -> None:
        weights = sum(p.numel() * p.element_size() for p in trained(state.model).values())
        require_space(run.output, 3 * weights)  # the weights and AdamW's two moments of each
        write_checkpoint(
            checkpoint_folder(run.output, update),
            lambda folder: save_training(state, folder, update=update, identity=identity),
        )
        rotate(run.output, run.config.save_total_limit)

    on_first(run.accelerator, write)


def _conclude(run: Run) -> Path:
    """The folder beside, with what the task writes of the trained model on all its processes."""
    aside = run.output / f"{TEMPORARY}model"
    on_first(run.accelerator, lambda: shutil.rmtree(aside, ignore_errors=True))
    run.trainee.task.conclude(run.trainee, run.held_out, aside)
    return aside


def _publish(run: Run, model: Any, aside: Path, seconds: float) -> TrainRecord:
    """Put the trained model into the output folder and finish its record."""
    save_model(run.trainee.task.publishable(model), run.state.tokenizer, aside)
    start, last = run.log.ends()
    record = run.record.model_copy(
        update={
            "start_metrics": start,
            "metrics": last,
            "seconds": seconds,
            "peak_memory_gib": peak_memory_gib(),
        }
    )
    write_model_card(aside, run.output, record)
    record = publish(run.output, aside, record)
    say(f"{run.output}: trained in {seconds:.0f} s")
    return record
