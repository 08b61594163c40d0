"""Progress of what runs long: a bar on a terminal, a plain line now and then elsewhere; both on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINES = 10
LINE_OF = 10_000
"""A line so often where nobody knows how many there are."""


@contextmanager
def progress(what: str, total: int | None, console: Console | None = None) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many are done. `total` None: nobody knows how many there are."""
    console = console or Console(stderr=True, highlight=False)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done if total is None else min(done, total))
        return
    told = 0

    def report(done: int) -> None:
        nonlocal told
        if total is None:
            step, text = done // LINE_OF, f"{done}"
        else:
            step = done * LINES // total if total else LINES
            text = f"{min(done, total)} of {total}"
        if step > told:
            told = step
            console.print(f"{what}: {text}", soft_wrap=True)

    yield report
