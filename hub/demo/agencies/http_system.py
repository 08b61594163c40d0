"""A simulated agency whose system is a JSON service with one batch endpoint over documents it keeps in SQLite.

Fault switches, for tests: POST /_faults {"fault": NAME}: `hang`, `error`, `slow`, `lie`, `foreign`, `huge`, `trickle`,
`badjson`, `redirect`, `throttle`, `none`; GET /_calls tells how it was asked.
"""

import asyncio
import json
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from hub.demo.agencies.process import (
    Arguments,
    count_aloud,
    die_with_parent,
    is_complete,
    mark_complete,
    parse_arguments,
    say_ready,
)
from hub.demo.population import Someone, World, people

MAX_IDS = 500
PAGE = 500
SCAN_PAGE = 2000
API_KEY = "demo-agency-key"  # the simulated systems' own; nothing real


@dataclass(slots=True, kw_only=True)
class State:
    fault: str = "none"
    calls: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=10_000))
    recent: deque[float] = field(default_factory=deque)

    def throttles(self, now: float, calls_per_second: int) -> bool:
        """Whether a call at `now` is one too many; counts it if not. 0: no limit."""
        while self.recent and self.recent[0] < now - 1:
            self.recent.popleft()
        if self.fault == "throttle" or (calls_per_second and len(self.recent) >= calls_per_second):
            return True
        self.recent.append(now)
        return False


def run_http_system(
    agency: str,
    *,
    path: str,
    document: Callable[[World, Someone], tuple[str | None, dict[str, Any]] | None],
    latency_s: tuple[float, float] = (0.0, 0.0),
    calls_per_second: int = 0,
) -> None:
    """Make the documents if they are not there, then serve until told to end."""
    die_with_parent()
    arguments = parse_arguments(agency)
    file = arguments.directory / f"{agency}.db"
    if not is_complete(arguments):
        _fill(arguments, str(file), document)
        mark_complete(arguments)
    database = sqlite3.connect(file, check_same_thread=False)
    app = _app(database, path, latency_s, calls_per_second)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=arguments.port, log_level="error", timeout_graceful_shutdown=1)
    )

    async def serve() -> None:
        task = asyncio.create_task(server.serve())
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        if server.started:
            port = server.servers[0].sockets[0].getsockname()[1]
            say_ready(agency, kind="rest", url=f"http://127.0.0.1:{port}{path}", api_key=API_KEY)
        await task

    asyncio.run(serve())


def _fill(
    arguments: Arguments,
    file: str,
    document: Callable[[World, Someone], tuple[str | None, dict[str, Any]] | None],
) -> None:
    step = count_aloud(arguments.world.total)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute("DROP TABLE IF EXISTS docs")
        database.execute("CREATE TABLE docs (id TEXT, doc TEXT)")

        def made() -> Any:
            for person in people(arguments.world):
                step()
                held = document(arguments.world, person)
                if held is not None:
                    yield held[0], json.dumps(held[1], ensure_ascii=False)

        database.executemany("INSERT INTO docs VALUES (?, ?)", made())
        database.execute("CREATE INDEX docs_id ON docs (id)")


def _app(database: sqlite3.Connection, path: str, latency_s: tuple[float, float], calls_per_second: int) -> Starlette:
    state = State()
    dice = Random(1)

    async def batch(request: Request) -> Response:
        if request.headers.get("x-api-key") != API_KEY:
            return JSONResponse({"error": "key"}, status_code=401)
        if state.throttles(asyncio.get_running_loop().time(), calls_per_second):
            return JSONResponse({"error": "too many calls"}, status_code=429, headers={"Retry-After": "1"})
        try:
            body = await request.json()
            parts = [{"ids": list(part["ids"]), "fields": list(part["fields"])} for part in body["parts"]]
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "malformed"}, status_code=400)
        ids = [name for part in parts for name in part["ids"]]
        if len(ids) > MAX_IDS:
            return JSONResponse({"error": f"at most {MAX_IDS} ids"}, status_code=400)
        state.calls.append({"ids": len(ids), "parts": parts})
        await asyncio.sleep(dice.uniform(*latency_s))
        broken = await _broken(state.fault, ids)
        if broken is not None:
            return broken
        return JSONResponse(_page(database, parts, int(body.get("page", 0)), state.fault))

    async def scan(request: Request) -> Response:
        """All documents in order, for a night's import; a page has what was asked for of each."""
        if request.headers.get("x-api-key") != API_KEY:
            return JSONResponse({"error": "key"}, status_code=401)
        body = await request.json()
        after, limit, names = int(body["after"]), min(SCAN_PAGE, int(body["limit"])), list(body["fields"])
        found = database.execute(
            "SELECT rowid, id, doc FROM docs WHERE rowid > ? ORDER BY rowid LIMIT ?", (after, limit)
        ).fetchall()
        items = [{"id": name, **_chosen(json.loads(text), names)} for _, name, text in found]
        return JSONResponse({"items": items, "next": found[-1][0] if len(found) == limit else None})

    async def faults(request: Request) -> Response:
        state.fault = (await request.json())["fault"]
        return JSONResponse({"applied": state.fault})

    async def calls(_request: Request) -> Response:
        return JSONResponse(list(state.calls))

    return Starlette(
        routes=[
            Route(path, batch, methods=["POST"]),
            Route(f"{path}/scan", scan, methods=["POST"]),
            Route("/_faults", faults, methods=["POST"]),
            Route("/_calls", calls),
        ]
    )


def _page(database: sqlite3.Connection, parts: list[dict[str, Any]], page: int, fault: str) -> dict[str, Any]:
    items = [item for part in parts for item in _items(database, part["ids"], part["fields"])]
    end = (page + 1) * PAGE
    return {"items": _lied(fault, items[page * PAGE : end]), "next": page + 1 if len(items) > end else None}


def _items(database: sqlite3.Connection, ids: list[str], fields: list[str]) -> list[dict[str, Any]]:
    marks = ",".join("?" * len(ids))
    found = database.execute(f"SELECT id, doc FROM docs WHERE id IN ({marks})", ids)
    return [{"id": name, **_chosen(json.loads(text), fields)} for name, text in found]


def _chosen(doc: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    """Only what was asked for; `list.item` names a field of the objects in a list."""
    out: dict[str, Any] = {}
    for name in fields:
        top, _, inner = name.partition(".")
        if not inner:
            value = doc.get(top)
            if isinstance(value, list):
                out.setdefault(top, [{} for _ in value])
            else:
                out[top] = value
        else:
            rows = out.setdefault(top, [{} for _ in doc.get(top) or []])
            for row, source in zip(rows, doc.get(top) or [], strict=True):
                row[inner] = source.get(inner)
    return out


def _lied(fault: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if fault == "lie":
        return [{key: value if key == "id" else {"x": [1, 2]} for key, value in item.items()} for item in items]
    if fault == "foreign":
        return [{**item, "id": "110105194912310021"} for item in items]
    return items


async def _broken(fault: str, ids: list[str]) -> Response | None:
    match fault:
        case "hang":
            await asyncio.sleep(3600)
        case "slow":
            await asyncio.sleep(0.5)
        case "error":
            return Response("stack trace of the upstream: secret", status_code=500)
        case "badjson":
            return Response('{"items": [', media_type="application/json")
        case "redirect":
            return RedirectResponse("http://127.0.0.1:9/elsewhere")
        case "huge":
            return StreamingResponse(_endless(b'"' + b"x" * 65_536), media_type="application/json")
        case "trickle":
            return StreamingResponse(_endless(b" ", pause_s=0.05), media_type="application/json")
    return None


async def _endless(chunk: bytes, pause_s: float = 0.0) -> AsyncIterator[bytes]:
    for _ in range(3200):
        yield chunk
        await asyncio.sleep(pause_s)
