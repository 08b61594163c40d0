"""One hub in this process for all examples, on a loop of its own."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from hub.rules import read_rules
from hub.settings import load_settings
from tests.noninterference.harness import Shop


@pytest.fixture(scope="session")
def loop():
    one = asyncio.new_event_loop()
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(scope="session")
def shop(loop):
    with tempfile.TemporaryDirectory(prefix="hub-worlds-") as directory:
        built = Shop(read_rules(load_settings()), Path(directory))
        loop.run_until_complete(built.start())
        try:
            yield built
        finally:
            loop.run_until_complete(built.close())
