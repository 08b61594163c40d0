"""The person view measured from outside: latency and throughput at 1 and 8 connections, CPU, start, memory.

Starts its own demo on a free port (600 persons), drives it over loopback, prints one table, ends it.
`make bench ARGS="--seconds 10"`.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import psutil

QUERIES = {
    "one person, justice and police": """query ($n: String!) { person(lookup: {identityNumber: $n}) {
        name birthDate justice { releaseDate riskClass sentences { court termMonths } } police { householdStatus } } }""",
    "one person, five agencies": """query ($n: String!) { person(lookup: {identityNumber: $n}) {
        name justice { releaseDate visits { visitedOn mode } } police { householdStatus }
        socialSecurity { insuredNow } civilAffairs { reliefCases { reliefType } } tax { employedThisMonth } } }""",
    "page of 20, justice and police": """{ people(first: 20) { totalCount edges { node {
        name sex justice { releaseDate sentences { court } } } } } }""",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def drive(held: dict, query: str, connections: int, seconds: float) -> list[float]:
    persona = held["personas"]["judicial-office"]
    headers = {
        "Authorization": f"Bearer {persona['token']}",
        "Hub-Purpose": persona["purpose"],
        "Content-Type": "application/json",
        "Accept": "application/graphql-response+json",
    }
    numbers = held["people"]["in"]
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client(session: aiohttp.ClientSession, offset: int) -> None:
        turn = offset
        while time.perf_counter() < end:
            variables = {"n": numbers[turn % len(numbers)]} if "$n" in query else {}
            started = time.perf_counter()
            async with session.post(f"{held['url']}/graphql", json={"query": query, "variables": variables}) as answer:
                body = await answer.json(content_type=None)
                assert answer.status == 200, body
                assert "errors" not in body, body
            times.append((time.perf_counter() - started) * 1000)
            turn += connections

    async with aiohttp.ClientSession(headers=headers) as session:
        await asyncio.gather(*(client(session, n) for n in range(connections)))
    return times


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=5.0)
    given = options.parse_args()
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
        started = time.perf_counter()
        with open(os.devnull, "wb") as null:
            process = subprocess.Popen([*command, "--people", "600"], stdout=null, stderr=null, start_new_session=True)
        try:
            while not (data / "demo.json").exists():
                assert process.poll() is None, "the demo did not start"
                time.sleep(0.05)
            start_s = time.perf_counter() - started
            held = json.loads((data / "demo.json").read_text())
            server = next(c for c in psutil.Process(process.pid).children() if "serve" in c.cmdline())
            print(f"demo from nothing to ready: {start_s:.1f} s")
            print(f"{'query':34} {'conns':>5} {'req/s':>7} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms/req':>11}")
            for name, query in QUERIES.items():
                asyncio.run(drive(held, query, 4, 1.0))
                for connections in (1, 8):
                    before = sum(server.cpu_times()[:2])
                    times = sorted(asyncio.run(drive(held, query, connections, given.seconds)))
                    cpu = (sum(server.cpu_times()[:2]) - before) / len(times) * 1000
                    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
                    rate = len(times) / given.seconds
                    print(
                        f"{name:34} {connections:5} {rate:7.0f} {statistics.median(times):8.1f} {p99:8.1f} {cpu:11.2f}"
                    )
            print(f"memory of the server: {server.memory_info().rss / 2**20:.0f} MB")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


if __name__ == "__main__":
    main()
