"""Servers compared under one hub: uvicorn (h11, httptools) and granian, workers, event loops, garbage collector.

Starts one demo and every server on it, drives them over loopback in interleaved rounds, prints medians.
`python -m benchmarks.server --rounds 3 --seconds 2`.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.person_view import free_port

QUERY = """query ($n: String!) { person(lookup: {identityNumber: $n}) { name birthDate
    justice { releaseDate riskClass sentences { court termMonths } } police { householdStatus } } }"""
FACTORY = "benchmarks.serving:create"
CONNECTIONS = (1, 8)


@dataclass(frozen=True, kw_only=True)
class Variant:
    server: str
    http: str = "httptools"
    workers: int = 1
    loop: str = "uvloop"
    collector: str = "settled"

    @property
    def name(self) -> str:
        kind = "granian" if self.server == "granian" else f"uvicorn {self.http}"
        return f"{kind}, {self.workers} x {self.loop}, gc {self.collector}"

    def command(self, port: int) -> list[str]:
        shared = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(self.workers), "--loop", self.loop]
        python = [sys.executable, "-m"]
        if self.server == "granian":
            return [*python, "granian", "--interface", "asgi", "--factory", "--no-ws", *shared, FACTORY]
        quiet = ["--no-access-log", "--no-server-header", "--no-proxy-headers", "--log-level", "warning"]
        return [*python, "uvicorn", "--factory", "--http", self.http, "--ws", "none", *quiet, *shared, FACTORY]


VARIANTS = (
    Variant(server="uvicorn", http="h11"),
    Variant(server="uvicorn"),
    Variant(server="granian"),
    Variant(server="uvicorn", loop="asyncio"),
    Variant(server="granian", loop="asyncio"),
    Variant(server="uvicorn", collector="default"),
    Variant(server="granian", collector="default"),
    Variant(server="uvicorn", http="h11", workers=2),
    Variant(server="uvicorn", workers=2),
    Variant(server="granian", workers=2),
)


@dataclass(kw_only=True)
class Running:
    variant: Variant
    port: int
    process: subprocess.Popen[bytes]
    seen: dict[int, list[tuple[float, float, float, float]]] = field(default_factory=lambda: defaultdict(list))

    def processes(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def cpu_s(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())

    def rss_mb(self) -> float:
        return sum(process.memory_info().rss for process in self.processes()) / 2**20


@contextlib.contextmanager
def running_demo(people: int, *more: str) -> Iterator[dict[str, Any]]:
    """What `demo.json` says of a demo with `more` options, which ends with the block; `dataDir` besides."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        command = [
            sys.executable,
            "-m",
            "hub.cli.main",
            "demo",
            "--no-worker",
            "--data",
            str(data),
            "--port",
            str(free_port()),
        ]
        null = subprocess.DEVNULL
        process = subprocess.Popen(
            [*command, "--people", str(people), *more], stdout=null, stderr=null, start_new_session=True
        )
        try:
            while not (data / "demo.json").exists():
                assert process.poll() is None, "the demo did not start"
                time.sleep(0.05)
            yield {**json.loads((data / "demo.json").read_text()), "dataDir": str(data)}
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def start(variant: Variant, held: dict[str, Any]) -> Running:
    environment = {
        **os.environ,
        "HUB_DATA_DIR": held["dataDir"],
        "HUB_URL": held["url"],
        "HUB_DEMO": "true",
        "HUB_PERSONS_PER_HOUR": "100000",
        "HUB_LOG_LEVEL": "warning",
        "BENCH_GC": variant.collector,
    }
    port = free_port()
    null = subprocess.DEVNULL
    process = subprocess.Popen(variant.command(port), env=environment, stdout=null, stderr=null, start_new_session=True)
    return Running(variant=variant, port=port, process=process)


async def answers(server: Running) -> None:
    """Wait until the server listens."""
    while True:
        assert server.process.poll() is None, f"{server.variant.name} ended"
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return


def requests(held: dict[str, Any]) -> list[bytes]:
    persona = held["personas"]["judicial-office"]
    heads = (
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Accept: application/graphql-response+json\r\n"
        f"Authorization: Bearer {persona['token']}\r\nHub-Purpose: {persona['purpose']}\r\n"
    )
    bodies = [json.dumps({"query": QUERY, "variables": {"n": number}}).encode() for number in held["people"]["in"]]
    return [f"{heads}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]


async def drive(port: int, sent: list[bytes], connections: int, seconds: float) -> list[float]:
    """Milliseconds of every answer."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client(turn: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            started = time.perf_counter()
            writer.write(sent[turn % len(sent)])
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
            body = await reader.readexactly(int(length))
            assert b'"errors"' not in body, body
            times.append((time.perf_counter() - started) * 1000)
            turn += connections
        writer.close()

    await asyncio.gather(*(client(number) for number in range(connections)))
    return times


def measure(server: Running, sent: list[bytes], connections: int, seconds: float) -> None:
    before = server.cpu_s()
    times = sorted(asyncio.run(drive(server.port, sent, connections, seconds)))
    cpu_ms = (server.cpu_s() - before) * 1000 / len(times)
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    server.seen[connections].append((len(times) / seconds, statistics.median(times), p99, cpu_ms))


def show(servers: list[Running]) -> None:
    print(f"{'server':38} {'conns':>5} {'req/s':>7} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms/req':>11} {'RSS MB':>7}")
    for connections in CONNECTIONS:
        for server in servers:
            rate, p50, p99, cpu = (statistics.median(column) for column in zip(*server.seen[connections], strict=True))
            print(
                f"{server.variant.name:38} {connections:5} {rate:7.0f} {p50:8.2f} {p99:8.1f} {cpu:11.2f} {server.rss_mb():7.0f}"
            )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=2.0)
    given = options.parse_args()
    servers: list[Running] = []
    with running_demo(600) as held:
        try:
            for variant in VARIANTS:
                servers.append(start(variant, held))
                asyncio.run(answers(servers[-1]))
            sent = requests(held)
            for server in servers:
                asyncio.run(drive(server.port, sent, 8, 0.5))
            for _ in range(given.rounds):
                for connections in CONNECTIONS:
                    for server in servers:
                        measure(server, sent, connections, given.seconds)
            show(servers)
        finally:
            for server in servers:
                server.process.send_signal(signal.SIGTERM)
            for server in servers:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.process.wait(15)
                if server.process.poll() is None:
                    server.process.kill()


if __name__ == "__main__":
    main()
