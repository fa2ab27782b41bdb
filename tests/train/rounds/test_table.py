"""The table of rounds on a terminal."""

from rich.console import Console

from train.rounds.table import as_rich


def test_a_wide_table_is_cut_into_tables_that_fit() -> None:
    """Every cell is whole, and each table begins with the number of the round."""
    columns = {"round": ("#", "{:d}")} | {f"m{n}": (f"measure {n}", "{}") for n in range(12)}
    rows = [{"round": r} | {f"m{n}": f"{r}.{n} (low to high)" for n in range(12)} for r in range(2)]
    console = Console(width=80, record=True)
    console.print(as_rich(rows, columns))
    said = console.export_text()
    assert all(f"{r}.{n} (low to high)" in said for r in range(2) for n in range(12))
    assert max(map(len, said.splitlines())) <= 80
    heads = [line for line in said.splitlines() if "#" in line]
    assert len(heads) == 4
    assert all(line.split()[0] == "#" for line in heads)
