"""Tables of cases. The person's key comes first everywhere; states, dates and offices are clear, words are sealed.

`case_event` is the truth; the other tables are read off it and could be made anew. Times are microseconds since the
epoch.
"""

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, LargeBinary, String, Table, Text

from hub.store.metadata import METADATA

case_event = Table(
    "case_event",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("case_id", String(64), primary_key=True),
    Column("event_id", String(64), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("happened_us", BigInteger, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("office", String(64), nullable=False),
    Column("data", Text, nullable=False),  # JSON: codes, dates, offices
    Column("words_sealed", LargeBinary),  # JSON: names, telephone numbers, free text
    Column("entry_id", String(40), nullable=False),
)

case_record = Table(
    "case_record",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("case_id", String(64), primary_key=True),
    Column("state", String(24)),
    Column("ended", Boolean, nullable=False),
    Column("accountable", String(64)),
    Column("region", String(12), nullable=False),
    Column("pending", String(64)),
    Column("bounces", Integer, nullable=False),
    Column("route", String(16), nullable=False),
    Column("key_person", Boolean, nullable=False),
    Column("planned_release", Date),
    Column("released", Date),
    Column("term_start", Date),
    Column("term_end", Date),
    Column("flags", Text, nullable=False),  # names, sorted, with spaces
    Column("revision", Integer, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Index("ix_case_record_case_id", "case_id"),
    Index("ix_case_record_region", "region", "ended", "state"),
)

case_office = Table(
    "case_office",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("case_id", String(64), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("office", String(64), nullable=False),
    Column("role", String(16), nullable=False),  # ACCOUNTABLE, HOUSEHOLD, RESIDENCE, WORK
    Column("since_us", BigInteger, nullable=False),
    Column("until_us", BigInteger),
    Index("ix_case_office_office", "office", "until_us"),
)

case_deadline = Table(
    "case_deadline",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("case_id", String(64), primary_key=True),
    Column("step", String(40), primary_key=True),
    Column("anchor", String(64), primary_key=True),
    Column("task_id", String(24), nullable=False),
    Column("rule_id", String(80), nullable=False),
    Column("office", String(64)),
    Column("region", String(12), nullable=False),
    Column("due", Date, nullable=False),
    Column("yellow", Date, nullable=False),
    Column("red", Date, nullable=False),
    Column("done", Date),
    Column("missed", Date),
    Column("assumed", Boolean, nullable=False),
    Column("told", Integer, nullable=False),  # how many of its alarms have gone out: never told twice, never lost
    Column("next_day", Date),  # when the next alarm falls due; None if none is left
    Index("ix_case_deadline_next_day", "next_day"),
    Index("ix_case_deadline_region", "region", "done", "missed", "due"),
    Index("ix_case_deadline_office", "office", "done", "missed", "due"),
)

watch_state = Table(
    "watch_state",
    METADATA,
    Column("person_id", String(32), primary_key=True),
    Column("case_id", String(64), primary_key=True),
    Column("agency", String(40), primary_key=True),
    Column("watch", String(40), primary_key=True),
    Column("digest", String(32), nullable=False),  # keyed, of what was seen last; the value itself is nowhere
    Column("turns", Integer, nullable=False),  # how often it changed: names the event, so that none is added twice
    Column("seen_us", BigInteger, nullable=False),
)

watch_turn = Table(
    "watch_turn",
    METADATA,
    Column("agency", String(40), primary_key=True),
    Column("next_us", BigInteger, nullable=False),
)
"""When an agency is to be swept next: who moves it on has the turn."""
