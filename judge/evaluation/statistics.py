"""Pass rates and their differences, over prompts.

P  prompts     N  answers of a model to each
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pairwright.figures.intervals import Interval, bootstrap, wilson

Vector = NDArray[np.float64]


def rate(passed_P: Vector, samples: int, seed: int) -> Interval:
    """Return the mean over prompts of the share of answers that pass, with its 95 % interval.

    Wilson's score interval where of every prompt all answers pass or none does, else quantiles over
    bootstrap samples of the prompts: answers to one prompt are no independent draws.
    """
    if np.isin(passed_P, (0.0, 1.0)).all():
        found = wilson(float(passed_P.sum()), len(passed_P))
        return Interval(found.value or 0.0, found.low, found.high)
    return _bootstrapped(passed_P, samples, seed)


def difference(first_P: Vector, other_P: Vector, samples: int, seed: int) -> Interval:
    """Return the other model's pass rate less the first's, paired by prompt, with its 95 % interval."""
    return _bootstrapped(other_P - first_P, samples, seed)


def pass_at(k: int, passed: Sequence[int], n: int) -> float:
    """Return pass@k from n answers to each prompt, c of which pass: the mean of 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021, eq. 1, https://arxiv.org/abs/2107.03374: unbiased, as 1 - (1 - c/n)^k is not.
    """
    missed = [float(np.prod(1 - k / np.arange(n - c + 1, n + 1))) if n - c >= k else 0.0 for c in passed]
    return 1 - float(np.mean(missed))


def _bootstrapped(values_P: Vector, samples: int, seed: int) -> Interval:
    [found] = bootstrap((values_P,), lambda values, axis: values.mean(axis=axis)[None], samples, seed)
    return found
