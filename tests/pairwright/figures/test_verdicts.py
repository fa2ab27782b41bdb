"""What judges did, summed: calibration error by hand and in any order of the sides."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairwright.figures.verdicts import added_up, calibration_error, verdict_expressions, verdicts_of
from pairwright.schema import VERDICT


def summed(*parts: list[float | None]) -> dict[str, float]:
    """Sums over parts of a run whose verdicts have these probabilities, each of one unordered vote."""
    found = []
    for part in parts:
        vote = dict.fromkeys(field.name for field in VERDICT.field("votes").type.value_type)
        rows = [{"preference": p, "consistent": True, "votes": [vote | {"judge": "j"}]} for p in part]
        frame = pl.DataFrame({"verdict": pl.Series(rows, dtype=pl.Struct(_fields()))})
        found.append(frame.select(verdict_expressions()).row(0, named=True))
    return added_up(found)


def _fields() -> dict[str, pl.DataType]:
    import pyarrow as pa

    return dict(pl.from_arrow(pa.table({"v": pa.array([], VERDICT)})).schema["v"])  # type: ignore[union-attr]


def test_calibration_error_by_hand() -> None:
    """Two right at 0.9 and one wrong at 0.8: bins 8 and 6; (|2 - 1.8| + |0 - 0.8|) / 3."""
    total = summed([0.9, 0.2], [0.9, None])
    assert calibration_error(total) == pytest.approx((0.2 + 0.8) / 3)
    found = verdicts_of(total)
    assert found is not None
    assert (found.rows, found.unparsed, found.ordered, found.first_position) == (3, 1, 0, None)
    assert found.chosen_preferred == pytest.approx(2 / 3)
    assert verdicts_of(added_up([])) is None
    assert calibration_error(added_up([])) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_calibration_error_is_a_share_and_every_coin_has_two_sides(probabilities: list[float]) -> None:
    assert 0 <= calibration_error(summed(probabilities)) <= 1
    both = summed(probabilities, [1 - p for p in probabilities])
    assert both["points"] == len(probabilities)
