"""Named places where a test may end the process, to prove that nothing is lost: `HUB_FAILPOINT=name:n`.

At the n-th passage (from 1) of `name` the process is killed as by SIGKILL. Off unless the variable is set.
"""

import os
import signal

_passages: dict[str, int] = {}


def failpoint(name: str) -> None:
    wanted = os.environ.get("HUB_FAILPOINT")
    if wanted is None:
        return
    target, _, count = wanted.partition(":")
    if target != name:
        return
    _passages[name] = _passages.get(name, 0) + 1
    if _passages[name] >= int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
