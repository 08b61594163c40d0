import io

from rich.console import Console

from hub.cli.progress import progress


def shown(*, terminal: bool, total: int | None, steps: list[int]) -> str:
    out = io.StringIO()
    with progress("values", total, Console(file=out, force_terminal=terminal, width=80, highlight=False)) as report:
        for step in steps:
            report(step)
    return out.getvalue()


def test_elsewhere_than_on_a_terminal_ten_plain_lines_at_most():
    lines = shown(terminal=False, total=1_000, steps=[*range(0, 1_001, 7), 1_000]).splitlines()
    assert len(lines) == 10
    assert lines[-1] == "values: 1000 of 1000"
    assert not any("\x1b" in line for line in lines)


def test_on_a_terminal_a_bar_that_never_passes_its_end():
    text = shown(terminal=True, total=10, steps=[5, 12])
    assert "\x1b" in text
    assert "10/10" in text
    assert "12/10" not in text


def test_nothing_to_do_is_done():
    assert shown(terminal=False, total=0, steps=[0]) == "values: 0 of 0\n"


def test_where_nobody_knows_how_many_there_are_a_line_now_and_then():
    assert (
        shown(terminal=False, total=None, steps=[500, 9_999, 10_400, 19_000, 20_001])
        == "values: 10400\nvalues: 20001\n"
    )
    assert "20001" in shown(terminal=True, total=None, steps=[500, 20_001])
