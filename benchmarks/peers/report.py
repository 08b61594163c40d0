"""What a run of the harness says of the hub: ratios to each peer beside the targets, as Markdown. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HUB = "hub"
JUDGED_AT = 8  # connections
QUERIES = ("Q1", "Q2", "Q3", "Q4")
PEERS = ("floor_agency", "floor_one", "strawberry", "strawberry_cache", "postgraphile", "grafbase", "hive_gateway")
TARGETS: Mapping[str, Mapping[str, float]] = {
    "Q1": {"strawberry": 20, "grafbase": 3.5, "postgraphile": 1.4, "floor_agency": 0.70},
    "Q2": {"strawberry": 14, "grafbase": 1.5, "postgraphile": 1.1, "floor_agency": 0.60},
    "Q3": {"strawberry": 15, "grafbase": 1.6, "postgraphile": 1.4, "floor_agency": 0.50},
    "Q4": {"strawberry": 6, "grafbase": 1.25, "postgraphile": 1.4, "floor_agency": 0.80},
}
FURTHER: Mapping[str, Mapping[str, float]] = {
    "Q1": {"floor_one": 0.55},
    "Q2": {"postgraphile": 1.5},
    "Q3": {"floor_agency": 0.85},
}
"""What to reach after the targets."""
P99_TO_P50, RSS_MB = 4.0, 160.0
BEGIN, END = "<!-- bench-peers:begin -->", "<!-- bench-peers:end -->"

Results = Mapping[tuple[str, str, int], Mapping[str, float]]
"""(peer, query, connections) → medians over rounds: rps, p50 and p99 (ms), cpu and pg (ms a request), rss (MB), bad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """The hub's figure over the peer's, by requests/s and by answers per second of CPU (server and database)."""

    query: str
    peer: str
    by_rate: float
    by_cpu: float
    target: float | None
    further: float | None

    @property
    def reached(self) -> bool | None:
        """Both ways; None where there is no target."""
        return None if self.target is None else min(self.by_rate, self.by_cpu) >= self.target


def read_results(document: Mapping[str, Any]) -> Results:
    """The harness's `results.json`."""
    return {(row["peer"], row["q"], row["conns"]): row for row in document["results"]}


def ratios(results: Results, connections: int = JUDGED_AT) -> Iterator[Ratio]:
    """In order of queries and peers; what was not measured is left out."""
    for query in QUERIES:
        own = results.get((HUB, query, connections))
        for peer in PEERS:
            other = results.get((peer, query, connections))
            if own is not None and other is not None:
                yield Ratio(
                    query=query,
                    peer=peer,
                    by_rate=own["rps"] / other["rps"],
                    by_cpu=_cpu(other) / _cpu(own),
                    target=TARGETS[query].get(peer),
                    further=FURTHER.get(query, {}).get(peer),
                )


def markdown(results: Results, *, about: str) -> str:
    """`about` is one line on when and how it was measured."""
    found = list(ratios(results))
    judged = [ratio for ratio in found if ratio.target is not None]
    reached = sum(bool(ratio.reached) for ratio in judged)
    parts = [
        about,
        f"{reached} of {len(judged)} targets reached both ways, at {JUDGED_AT} connections.",
        _table(["query", "peer", "by req/s", "by 1/CPU", "target", "reached", "further"], map(_ratio_row, found)),
        "The hub itself:",
        _table(
            ["query", "conns", "req/s", "1/CPU req/s", "p50 ms", "p99 ms", "p99/p50", "CPU ms", "PG CPU ms", "RSS MB"],
            _own_rows(results),
        ),
        f"Aims: p99/p50 ≤ {P99_TO_P50:g}, RSS ≤ {RSS_MB:g} MB a worker. 1/CPU = answers per second of CPU, server and database.",
    ]
    return "\n\n".join(parts) + "\n"


def insert(page: str, text: str) -> str:
    """`page` with `text` between the markers.

    Raises:
        ValueError: the page has no markers.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} … {END}")
    return f"{head}{BEGIN}\n\n{text}\n{END}{tail}"


def _ratio_row(ratio: Ratio) -> list[str]:
    words = {None: "", True: "yes", False: "no"}
    return [
        ratio.query,
        ratio.peer,
        f"{ratio.by_rate:.2f}",
        f"{ratio.by_cpu:.2f}",
        "" if ratio.target is None else f"{ratio.target:g}",
        words[ratio.reached],
        "" if ratio.further is None else f"{ratio.further:g}",
    ]


def _own_rows(results: Results) -> Iterator[list[str]]:
    for (peer, query, connections), row in sorted(results.items()):
        if peer == HUB:
            yield [
                query,
                str(connections),
                f"{row['rps']:.0f}",
                f"{1000 / _cpu(row):.0f}",
                f"{row['p50']:.2f}",
                f"{row['p99']:.1f}",
                f"{row['p99'] / row['p50']:.1f}",
                f"{row['cpu']:.2f}",
                f"{row['pg']:.2f}",
                f"{row['rss']:.0f}",
            ]


def _cpu(row: Mapping[str, float]) -> float:
    return row["cpu"] + row["pg"]


def _table(head: Sequence[str], rows: Iterator[list[str]]) -> str:
    listed = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in listed)
