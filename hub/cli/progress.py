"""Progress of what runs long: a bar on a terminal, a plain line now and then elsewhere; both on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINES = 10


@contextmanager
def progress(what: str, total: int, console: Console | None = None) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many are done."""
    console = console or Console(stderr=True, highlight=False)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=min(done, total))
        return
    told = 0

    def report(done: int) -> None:
        nonlocal told
        step = done * LINES // total if total else LINES
        if step > told:
            told = step
            console.print(f"{what}: {min(done, total)} of {total}", soft_wrap=True)

    yield report
