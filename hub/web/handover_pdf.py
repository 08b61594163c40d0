"""The form of a hand-over as a page to sign: 《必接必送人员衔接登记表》, A4. Its values come as the rules gave them."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from hub.auditing.pdf import FONT, register_font
from hub.clock import CHINA

TITLE = "必接必送人员衔接登记表"
OUTCOMES = {
    "GOVERNMENT": "01 基层政府接回",
    "PRISON_SENT": "02 监所送回原籍",
    "OFFICE": "03 司法所接回",
    "POLICE": "04 公安机关落实管控措施",
    "GRASSROOTS": "05 基层组织接回",
    "SELF": "06 人员自返",
    "FAMILY": "99 其他（家属接回）",
    "OTHER": "99 其他",
    "NOBODY": "未衔接",
}
"""GB/T 31000-2015, 衔接情况."""
MODES = {"OFFICE": "司法所接", "PRISON": "监所送", "FAMILY": "家属接", "VILLAGE": "村居接", "POLICE": "公安接"}
SEXES = {"MALE": "男", "FEMALE": "女"}
_LATIN = re.compile(r"([\x20-\x7e]+)")
WITHHELD = "（无权查看）"
BLANK = "／"


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """For whom a page was made, and by which audit entry: whoever finds it knows where it came from."""

    officer: str
    agency: str
    entry: str
    at: datetime


def rows_of(form: Mapping[str, Any], person: Mapping[str, Any] | None, denied: frozenset[str]) -> list[tuple[str, str]]:
    """Label and text of each row. `denied`: coordinates that the rules withheld from the one who prints."""
    person = person or {}

    def of_person(name: str, words: Mapping[str, str] | None = None) -> str:
        value = person.get(name)
        if value is None:
            return WITHHELD if f"Person.{name}" in denied else BLANK
        return (words or {}).get(value, str(value))

    facility = (person.get("justice") or {}).get("facility")
    withheld = denied & {"JusticeRecord.facility", "Person.justice"}
    happened = form.get("happenedAt")
    mode = form.get("mode")
    return [
        ("姓名", of_person("name")),
        ("性别", of_person("sex", SEXES)),
        ("公民身份号码", of_person("identityNumber")),
        ("帮教类别", "重点帮教对象" if form["keyPerson"] else "一般帮教对象"),
        ("案件编号", form["case"]),
        ("监所", facility or (WITHHELD if withheld else BLANK)),
        ("释放日期", form.get("released") or _planned(form)),
        ("释放证明书编号", form.get("certificate") or BLANK),
        ("计划接送", "本人拒绝接送" if form["refused"] else _said(form.get("day"), MODES.get(mode or "", ""))),
        ("接送人员及电话", form.get("escorts") or BLANK),
        ("衔接情况", OUTCOMES.get(form.get("outcome") or "", BLANK)),
        ("衔接时间", _moment(happened) if happened else BLANK),
        ("随从亲属、工作人员", form.get("present") or BLANK),
        ("总人数", BLANK if form.get("persons") is None else str(form["persons"])),
        ("情况说明", form.get("remarks") or BLANK),
        ("填报单位", form.get("office") or BLANK),
    ]


def handover_pdf(rows: list[tuple[str, str]], printed: Printed) -> bytes:
    """The page; the same rows for the same reader give the same bytes.

    Raises:
        FormatUnavailableError: reportlab is not installed.
    """
    register_font()
    from reportlab.lib import colors  # noqa: PLC0415  # an extra
    from reportlab.lib.pagesizes import A4  # noqa: PLC0415
    from reportlab.lib.styles import ParagraphStyle  # noqa: PLC0415
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table  # noqa: PLC0415

    body = ParagraphStyle("body", fontName=FONT, fontSize=11, leading=16, wordWrap="CJK")
    title = ParagraphStyle("title", fontName=FONT, fontSize=18, leading=30, alignment=1)
    cells = [[Paragraph(_marked(text), body) for text in row] for row in rows]
    grid = [("GRID", (0, 0), (-1, -1), 0.6, colors.black), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]
    signed = ["移交单位（盖章）", "接收单位（盖章）", "经办人（签字）", "被接送人（签字）"]
    lines = [[Paragraph(f"{name}：", body), Paragraph("____年____月____日", body)] for name in signed]
    held = io.BytesIO()
    document = SimpleDocTemplate(held, pagesize=A4, invariant=1, title=TITLE, topMargin=48, bottomMargin=60)
    foot = f"{printed.agency} / {printed.officer}   {_moment(printed.at.isoformat())}   审计条目 {printed.entry}"

    small = ParagraphStyle("small", fontName=FONT, fontSize=8)

    def footed(canvas: Any, _document: Any) -> None:
        line = Paragraph(_marked(f"{foot}   第 {canvas.getPageNumber()} 页"), small)
        line.wrapOn(canvas, 450, 20)
        line.drawOn(canvas, 72, 30)

    document.build(
        [
            Paragraph(TITLE, title),
            Spacer(1, 8),
            Table(cells, colWidths=(120, 330), style=grid, splitInRow=1),
            Spacer(1, 18),
            Table(lines, colWidths=(300, 150)),
        ],
        onFirstPage=footed,
        onLaterPages=footed,
    )
    return held.getvalue()


def _marked(text: str) -> str:
    """Text as a paragraph takes it: Latin letters and digits in a font of their own, in which they keep their width."""
    parts = _LATIN.split(text)
    return "".join(
        f'<font name="Helvetica">{escape(part)}</font>' if rank % 2 else escape(part) for rank, part in enumerate(parts)
    )


def _planned(form: Mapping[str, Any]) -> str:
    planned = form.get("plannedRelease")
    return f"{planned}（预计）" if planned else BLANK


def _said(*texts: str | None) -> str:
    return "　".join(text for text in texts if text) or BLANK


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(CHINA):%Y-%m-%d %H:%M}"
