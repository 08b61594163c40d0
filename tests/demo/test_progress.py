import io

from rich.console import Console

from hub.demo.progress import LONG, Display


def said(total: int, *, terminal: bool = False) -> str:
    out = io.StringIO()
    with Display(Console(file=out, force_terminal=terminal, width=80)) as display:
        for done in range(0, total + 1, total // 10):
            display.report("police", done, total)
    return out.getvalue()


def test_elsewhere_than_on_a_terminal_long_work_says_a_line_each_fifth():
    assert said(LONG * 5).splitlines() == [f"  police: {LONG * n} of {LONG * 5}" for n in range(1, 6)]


def test_a_terminal_shows_a_bar():
    assert "police" in said(LONG, terminal=True)


def test_short_work_says_nothing():
    assert said(LONG // 2) == ""
