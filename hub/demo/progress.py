"""How far long work has come: a bar a task on a terminal, a plain line each fifth elsewhere, nothing for short work."""

import threading
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, TaskID

LONG = 20_000
_STEPS = 5


class Display:
    """Takes reports from any thread. `report(name, done, total)`: one bar or one series of lines for each name."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, int] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "Display":
        self._bars.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def report(self, name: str, done: int, total: int) -> None:
        if total < LONG:
            return
        with self._lock:
            if self._console.is_terminal:
                if name not in self._tasks:
                    self._tasks[name] = self._bars.add_task(name, total=total)
                self._bars.update(self._tasks[name], completed=done)
                return
            step = done * _STEPS // total
            if step > self._said.get(name, 0):
                self._said[name] = step
                self._console.print(f"  {name}: {done} of {total}", soft_wrap=True)
