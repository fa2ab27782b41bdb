"""`--ray`: the workers of a run as actors of a Ray cluster, driven by Ray Data.

Each actor is worker `i` of `n` (see `pairwright.stages.workers`), with engines of its own. Ray starts
a dead one again, which goes on from its journal; a shard's rename is its commit, so none is done twice. All
machines must see the run folder and the input under the same paths, and have pairwright installed.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.manifest import Manifest, load_manifest
from pairwright.terminal.interrupt import Interrupted

if TYPE_CHECKING:
    from pairwright.stages.config import WorkersConfig

Work = Callable[[str], Manifest | None]
"""Does a share, `i/n`."""


class Worker:
    """An actor: it does the shares that it is given, one after the other."""

    def __init__(self, work: Work, place: str) -> None:
        self._work = work
        if Path(place).is_dir():
            os.chdir(place)  # relative paths are those of the command

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Errors are answers, or Ray would do a hopeless share again and again."""
        errors = []
        for share in batch["share"]:
            try:
                self._work(str(share))
                errors.append("")
            except PairwrightError as error:
                errors.append(str(error))
        return {"error": errors}


def run_on_ray(work: Work, workers: "WorkersConfig", out: str) -> Manifest:
    """Run all shares of a run, each as an actor; returns the manifest of the whole.

    Connects to the cluster that `RAY_ADDRESS` names, or to this machine, or starts a Ray of its own.
    Raises `UsageError` without Ray, `PairwrightError` with a worker's reason, and `Interrupted`.
    """
    ray = _ray()
    data, actors = ray.data, workers.ray_actors
    began = not ray.is_initialized()
    if began:
        ray.init(include_dashboard=False)
    context = data.DataContext.get_current()
    context.enable_progress_bars = False  # the workers show their own
    try:
        shares = data.from_items(
            [{"share": f"{number}/{actors}"} for number in range(actors)], override_num_blocks=actors
        )
        done = shares.map_batches(
            Worker,
            fn_constructor_args=(work, str(Path.cwd())),
            compute=data.ActorPoolStrategy(min_size=1, max_size=actors, max_tasks_in_flight_per_actor=1),
            batch_size=1,
            num_cpus=1,
            num_gpus=workers.ray_gpus or None,
        ).take_all()
    except KeyboardInterrupt:
        raise Interrupted(
            f"{out}: stopped; finished completions are kept; run the same command again to go on"
        ) from None
    finally:
        if began:
            ray.shutdown()
    errors = [row["error"] for row in done if row["error"]]
    if errors:
        raise PairwrightError(f"{len(errors)} of {actors} workers stopped. The first one: {errors[0]}")
    return load_manifest(Path(out))


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError:
        raise UsageError("--ray needs Ray; install it with: pip install 'pairwright[ray]'") from None
    return ray
