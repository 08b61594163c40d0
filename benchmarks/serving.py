"""The hub for `benchmarks.server`: an app factory that every server under test can import. Settings come from `HUB_*`."""

import gc
import os
from typing import Any

from hub.bootstrap import front
from hub.bootstrap.build import build_hub
from hub.settings import load_settings


def create() -> Any:
    """`BENCH_GC=default` leaves Python's garbage collector as it comes."""
    if os.environ.get("BENCH_GC") == "default":
        front.settle_garbage_collector = gc.collect  # type: ignore[assignment]  # bench only
    return build_hub(load_settings()).app
