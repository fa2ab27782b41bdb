"""The limit on open requests: who gets a turn, and how it grows and shrinks."""

import asyncio

import pytest

from pairwright.engines.openai.concurrency import AdaptiveLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_doubles_until_the_first_overload() -> None:
    limit = AdaptiveLimit(64, Clock())
    assert limit.limit == 16
    for _ in range(16):
        limit.succeeded()
    assert limit.limit == 32


def test_comes_back_fast_to_where_it_was_and_creeps_from_there() -> None:
    limit = AdaptiveLimit(64, Clock())
    for _ in range(24):
        limit.succeeded()
    limit.overloaded(sent_at=0)
    assert limit.limit == 30
    for _ in range(50):
        limit.succeeded()
    assert limit.limit == pytest.approx(32)
    limit.overloaded(sent_at=0)
    for _ in range(5):
        limit.succeeded()
    assert limit.limit == pytest.approx(0.9 * 32)
    for _ in range(25):
        limit.succeeded()
    assert limit.limit == pytest.approx(0.9 * 32 + 1)


def test_goes_straight_down_to_a_lower_bound() -> None:
    clock = Clock()
    limit = AdaptiveLimit(64, clock)
    for second in range(5):
        clock.now = float(second)
        limit.overloaded(sent_at=clock.now)
        limit.succeeded()
    assert limit.limit < 6


def test_stray_refusals_do_not_strangle_it() -> None:
    clock = Clock()
    limit = AdaptiveLimit(64, clock)
    for request in range(20_000):
        clock.now = request / 100
        if request % 100 == 99:
            limit.overloaded(sent_at=clock.now)
        else:
            limit.succeeded()
    assert limit.limit > 24


def test_one_burst_of_refusals_shrinks_it_once() -> None:
    clock = Clock()
    limit = AdaptiveLimit(16, clock)
    clock.now = 5.0
    for _ in range(16):
        limit.overloaded(sent_at=4.0)
    assert limit.limit == 12
    clock.now = 6.0
    limit.overloaded(sent_at=5.5)
    assert limit.limit == 9


def test_bounds() -> None:
    clock = Clock()
    limit = AdaptiveLimit(4, clock)
    for _ in range(100):
        limit.succeeded()
    assert limit.limit == 4
    for second in range(100):
        clock.now = float(second)
        limit.overloaded(sent_at=clock.now)
    assert limit.limit == 1


def test_the_latest_end_of_a_cool_down_counts() -> None:
    clock = Clock()
    limit = AdaptiveLimit(4, clock)
    limit.cool(10, "ten")
    limit.cool(3, "three")
    assert (limit.cool_until, limit.why_cool) == (10, "ten")
    clock.now = 11.0
    assert limit.why_cool == ""


async def hold(limit: AdaptiveLimit, name: str, log: list[str], *, again: bool = False) -> None:
    async with limit.slot(again=again, until=None):
        log.append(name)
        await asyncio.sleep(0.01)


def test_who_comes_again_goes_first() -> None:
    async def story() -> list[str]:
        limit, log = AdaptiveLimit(1, Clock()), list[str]()
        fresh = [asyncio.create_task(hold(limit, f"new {i}", log)) for i in range(3)]
        await asyncio.sleep(0)
        await asyncio.gather(*fresh, asyncio.create_task(hold(limit, "again", log, again=True)))
        assert limit.busy == 0
        return log

    assert asyncio.run(story()) == ["new 0", "again", "new 1", "new 2"]


def test_turns_that_nobody_takes_are_not_lost() -> None:
    async def story() -> None:
        limit, log = AdaptiveLimit(1, Clock()), list[str]()
        tasks = [asyncio.create_task(hold(limit, str(i), log)) for i in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        tasks[0].cancel()
        await asyncio.sleep(0)
        tasks[2].cancel()  # its turn has been given and not yet taken
        await asyncio.gather(*tasks, return_exceptions=True)
        assert log[-1] == "3"
        assert limit.busy == 0

    asyncio.run(story())


def test_waiting_for_a_turn_ends_with_the_deadline() -> None:
    async def story() -> None:
        limit, log = AdaptiveLimit(1, Clock()), list[str]()
        holder = asyncio.create_task(hold(limit, "holder", log))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with limit.slot(again=True, until=asyncio.get_running_loop().time() + 0.001):
                pass
        await holder
        assert limit.busy == 0

    asyncio.run(story())
