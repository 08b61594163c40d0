"""The demo as a process: what it starts it ends, and it promises nothing before it can hold it."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import psutil

from tests.journeys.conftest import free_port, start, stop


def demo_command(directory, port):
    command = [sys.executable, "-m", "hub.cli.main", "demo", "--data", str(directory), "--port", str(port)]
    return [*command, "--people", "200"]


def alive(processes):
    _, living = psutil.wait_procs(processes, timeout=5)
    return living


def test_a_signal_ends_every_child_and_an_old_promise_is_withdrawn(tmp_path):
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "demo.json").write_text('{"url": "http://old"}')
    process = subprocess.Popen(demo_command(directory, free_port()), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        assert b"starting five simulated agencies" in process.stderr.readline()
        assert not (directory / "demo.json").exists()
        while not (directory / "demo.json").exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 7  # five agencies, the server, a worker
        assert json.loads((directory / "demo.json").read_text())["url"] != "http://old"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stderr.close()
    assert process.returncode == 0
    assert alive(children) == []


def test_a_signal_while_it_starts_leaves_nothing_behind(tmp_path):
    process = subprocess.Popen(
        demo_command(tmp_path / "data", free_port()), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process.stderr:
        assert process.stderr.readline()
        while len(children := psutil.Process(process.pid).children(recursive=True)) < 5:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert alive(children) == []
    assert not (tmp_path / "data" / "demo.json").exists()


def test_two_demos_do_not_share_a_directory(demo):
    found = subprocess.run(demo_command(demo.directory, free_port()), capture_output=True, text=True, check=False)
    assert found.returncode == 3
    assert found.stderr == "error SETTINGS_INVALID: --data: another demo runs there\n"
    assert (demo.directory / "demo.json").exists()


def test_nothing_outlives_a_killed_demo_and_the_next_one_in_its_directory_is_whole(tmp_path):
    """The second population is smaller: nobody of the first is left. A child that dies ends the demo."""
    process, _ = start(tmp_path / "data", people=400)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait(10)
    assert alive(children) == []
    process, _ = start(tmp_path / "data", people=200)
    try:
        with closing(sqlite3.connect(tmp_path / "data" / "hub" / "hub.db")) as database:
            assert database.execute("SELECT count(*) FROM person").fetchone() == (200,)
        children = psutil.Process(process.pid).children(recursive=True)
        next(child for child in children if "hub.demo.agencies.tax" in child.cmdline()).kill()
        assert process.wait(30) == 3
        assert (tmp_path / "data.log").read_text().splitlines()[-1] == "error DEMO_FAILED: tax: ended by itself"
        assert alive(children) == []
    finally:
        stop(process)
