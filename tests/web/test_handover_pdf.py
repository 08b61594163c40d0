"""The page of a hand-over: codes in words, what is withheld said as such, any text, the same bytes for the same reader."""

from datetime import UTC, datetime

from hub.web.handover_pdf import BLANK, WITHHELD, Printed, handover_pdf, rows_of

FORM = {
    "case": "C-1",
    "keyPerson": True,
    "office": "judicial-office/360702",
    "plannedRelease": "2026-06-30",
    "released": None,
    "certificate": None,
    "refused": False,
    "day": "2026-06-30",
    "mode": "FAMILY",
    "escorts": None,
    "outcome": "FAMILY",
    "happenedAt": "2026-06-30T07:00:00+00:00",
    "persons": 0,
    "present": "妻子 <a href='x'>&amp;",
    "remarks": "情" * 2000,
}
PRINTED = Printed(officer="2001", agency="justice", entry="e-1", at=datetime(2026, 7, 1, tzinfo=UTC))


def test_codes_are_printed_as_words_and_times_as_those_of_china():
    rows = dict(rows_of(FORM, {"name": "张三", "sex": "FEMALE", "identityNumber": None}, frozenset()))
    assert (rows["姓名"], rows["性别"], rows["公民身份号码"]) == ("张三", "女", BLANK)
    assert (rows["衔接情况"], rows["计划接送"]) == ("99 其他（家属接回）", "2026-06-30　家属接")
    assert (rows["衔接时间"], rows["释放日期"], rows["总人数"]) == ("2026-06-30 15:00", "2026-06-30（预计）", "0")


def test_refusal_of_the_person_is_printed_as_such():
    rows = dict(rows_of({**FORM, "refused": True, "keyPerson": False}, None, frozenset()))
    assert (rows["计划接送"], rows["帮教类别"]) == ("本人拒绝接送", "一般帮教对象")


def test_what_the_rules_withhold_is_not_taken_for_missing():
    rows = dict(rows_of(FORM, {"name": None}, frozenset({"Person.name", "JusticeRecord.facility"})))
    assert (rows["姓名"], rows["监所"], rows["公民身份号码"]) == (WITHHELD, WITHHELD, BLANK)


def test_any_text_makes_a_page_and_the_same_makes_the_same():
    rows = rows_of(FORM, None, frozenset())
    page = handover_pdf(rows, PRINTED)
    assert page.startswith(b"%PDF-1.4")
    assert page == handover_pdf(rows, PRINTED)
    assert page.count(b"/Type /Page\n") > 1  # long remarks go on over the page
    assert b"2001" not in page[:200]
