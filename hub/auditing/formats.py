"""Entries as files: CSV, JSONL, OCSF 6003, Parquet, PDF. The same entries give the same bytes, whenever and wherever.

Each writer takes entries as `hub.audit.reader.show` gives them, in the order in which they shall stand.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from hub.audit.entry import EFFECTS
from hub.auditing.pdf import FONT, FormatUnavailableError, register_font
from hub.clock import CHINA
from hub.errors import HubError

Shown = Mapping[str, Any]
COLUMNS = (
    "number id time kind agency client officer onBehalfOf role purpose cases person full masked predicate "
    "sealed denied outcome code policyDigest lookedAt"
).split()
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
PDF_ENTRIES = 5_000


class TooManyEntriesError(HubError):
    """More entries than a file of this format may hold."""

    code = "EXPORT_TOO_LARGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a file tells about itself. `size`: entries of the log when it was asked for."""

    wanted: Mapping[str, str]
    origin: str
    size: int
    root: str


def flat(shown: Shown) -> Iterator[dict[str, str]]:
    """One row for each person of an entry; one without person for an entry without."""
    plain = {name: shown.get(name) for name in COLUMNS if name in shown}
    said = {name: "" if value is None else str(value) for name, value in plain.items()}
    said["number"] = str(shown["seq"])
    said["cases"] = " ".join(shown.get("case", ()))
    said["lookedAt"] = " ".join(f"{name}={text}" for name, text in sorted(shown.get("lookedAt", {}).items()))
    persons: Sequence[Mapping[str, Any]] = shown.get("persons") or ({},)
    for one in persons:
        lists = {effect: " ".join(one.get(effect, ())) for effect in EFFECTS}
        yield dict.fromkeys(COLUMNS, "") | said | {"person": one.get("person", ""), **lists}


def safe(cell: str) -> str:
    """`cell` such that no spreadsheet takes it for a formula. Source: OWASP, CSV Injection."""
    return f"'{cell}" if cell.lstrip(" \u3000").startswith(FORMULA) else cell


def write_csv(path: Path, entries: Iterable[Shown], _about: About) -> None:
    """RFC 4180, UTF-8 with a mark, so that spreadsheets show Chinese."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for shown in entries:
            rows.writerows([safe(row[name]) for name in COLUMNS] for row in flat(shown))


def write_jsonl(path: Path, entries: Iterable[Shown], _about: About) -> None:
    _lines(path, entries)


def write_ocsf(path: Path, entries: Iterable[Shown], about: About) -> None:
    """API Activity (6003), one event a line. Source: OCSF 1.3.0."""
    _lines(path, (ocsf(shown, about.origin) for shown in entries))


def _lines(path: Path, values: Iterable[Mapping[str, Any]]) -> None:
    with path.open("wb") as file:
        for value in values:
            file.write(orjson.dumps(value, option=orjson.OPT_SORT_KEYS) + b"\n")


def ocsf(shown: Shown, origin: str) -> dict[str, Any]:
    """One entry as an OCSF event; what OCSF has no place for stands under `unmapped`."""
    outcome = shown.get("outcome") or ""
    taken = {"id", "time", "agency", "client", "officer", "role", "operation", "requestId", "outcome", "persons"}
    return {
        "activity_id": 2,
        "activity_name": "Read",
        "actor": {
            "app_name": shown.get("client") or "hub",
            "user": {
                "uid": shown.get("officer") or "hub",
                "org": {"name": shown.get("agency") or "hub"},
                "groups": [{"name": shown["role"]}] if shown.get("role") else [],
            },
        },
        "api": {
            "operation": shown.get("operation") or shown["kind"],
            "request": {"uid": shown.get("requestId") or ""},
            "response": {"code": 0, "error": shown.get("code") or ""},
            "service": {"name": "hub"},
        },
        "category_uid": 6,
        "class_uid": 6003,
        "metadata": {
            "log_name": origin,
            "product": {"name": "hub", "vendor_name": "hub"},
            "sequence": shown["seq"],
            "uid": shown["id"],
            "version": "1.3.0",
        },
        "resources": [{"type": "person", "uid": one["person"]} for one in shown.get("persons", ())],
        "severity_id": 1 if outcome in ("OK", "PARTIAL", "") else 2,
        "src_endpoint": {"name": shown.get("agency") or "hub", "uid": shown.get("client") or "hub"},
        "status": outcome,
        "status_id": 1 if outcome in ("OK", "PARTIAL") else 2,
        "time": int(datetime.fromisoformat(shown["time"]).timestamp() * 1000),
        "type_uid": 600302,
        "unmapped": {name: value for name, value in shown.items() if name not in taken},
    }


def write_parquet(path: Path, entries: Iterable[Shown], _about: About) -> None:
    """Columns as in CSV, all text. Needs the extra `parquet`."""
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as exc:
        raise FormatUnavailableError("pyarrow is not installed") from exc
    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _grouped((row for shown in entries for row in flat(shown)), 10_000):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _grouped(rows: Iterable[dict[str, str]], size: int) -> Iterator[list[dict[str, str]]]:
    group: list[dict[str, str]] = []
    for row in rows:
        group.append(row)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def write_pdf(path: Path, entries: Iterable[Shown], about: About) -> None:
    """A statement to print, A4 across, in Chinese and English, pages numbered. Needs the extra `pdf`.

    Raises:
        TooManyEntriesError: more than `PDF_ENTRIES`. FormatUnavailableError: reportlab is not installed.
    """
    register_font()
    from reportlab.lib.pagesizes import A4, landscape  # noqa: PLC0415  # an extra
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415

    width, height = landscape(A4)
    held = io.BytesIO()
    canvas = Canvas(held, pagesize=(width, height), invariant=1)
    canvas.setTitle("Statement of the audit log / 审计日志证明")
    rows = _statement(entries)
    per_page = 30
    for page in range(max(1, -(-len(rows) // per_page))):
        _page(canvas, rows[page * per_page : (page + 1) * per_page], about, page + 1, height)
        canvas.showPage()
    canvas.save()
    path.write_bytes(held.getvalue())


_PLACES = (40, 80, 190, 260, 370, 470, 560, 620, 680)
_HEADS = "序号No. 时间Time 部门Agency 角色Role 经办人Officer 用途Purpose 人数 结果Outcome 条目Entry".split()


def _statement(entries: Iterable[Shown]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for shown in entries:
        if len(rows) == PDF_ENTRIES:
            raise TooManyEntriesError(f"more than {PDF_ENTRIES} entries")
        moment = datetime.fromisoformat(shown["time"]).astimezone(CHINA)
        officer = f"{shown.get('officer') or '–'}"
        if shown.get("onBehalfOf"):
            officer = f"{officer} 代 {shown['onBehalfOf']}"
        texts = (shown.get("agency") or "–", shown.get("role") or "–", officer, shown.get("purpose") or "–")
        count = str(len(shown.get("persons", ())))
        rows.append(
            (
                str(shown["seq"]),
                f"{moment:%Y-%m-%d %H:%M:%S}",
                *(text[:20] for text in texts),
                count,
                shown.get("outcome") or "–",
                shown["id"],
            )
        )
    return rows


def _page(canvas: Any, rows: Sequence[tuple[str, ...]], about: About, number: int, height: float) -> None:
    canvas.setFont(FONT, 14)
    canvas.drawString(40, height - 40, "审计日志证明  Statement of the audit log")
    canvas.setFont(FONT, 8)
    wanted = "; ".join(f"{name}={text}" for name, text in sorted(about.wanted.items())) or "全部 all"
    canvas.drawString(40, height - 56, f"条件 Filter: {wanted[:160]}")
    canvas.drawString(
        40, height - 68, f"日志 Log: {about.origin}   条目数 Entries: {about.size}   树根 Root: {about.root}"
    )
    for place, text in zip(_PLACES, _HEADS, strict=True):
        canvas.drawString(place, height - 90, text)
    for line, row in enumerate(rows):
        for place, text in zip(_PLACES, row, strict=True):
            canvas.drawString(place, height - 106 - line * 14, text)
    canvas.drawString(40, 24, f"时间为北京时间 Times of China. 第 {number} 页 Page {number}")


Writer = Callable[[Path, Iterable[Shown], About], None]
WRITERS: Mapping[str, tuple[Writer, str, str]] = {
    "csv": (write_csv, "csv", "text/csv; charset=utf-8"),
    "jsonl": (write_jsonl, "jsonl", "application/x-ndjson"),
    "ocsf": (write_ocsf, "ocsf.jsonl", "application/x-ndjson"),
    "parquet": (write_parquet, "parquet", "application/vnd.apache.parquet"),
    "pdf": (write_pdf, "pdf", "application/pdf"),
}
"""Writer, ending and media type of each format; evidence packages are `auditing.evidence`'s."""
