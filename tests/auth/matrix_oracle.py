"""The access matrix of the domain notes (section 3.2) as text, and an evaluator that shares nothing with the hub's judge.

How a cell is written: alternatives are separated by `;`, the best one that holds wins. In an alternative the first word is
what is given (F full, M masked, P yes-or-no only), the rest are conditions that must all hold, `(T|C)` either of them. A
word with a facet (`class:F`) speaks of that part of the group. The conditions are the document's letters J T C O N K 2 L,
and S: the asker is the person. How ambiguous cells are read stands in docs/policies.md and below.

- "own" is F,O: the field's owner is the asker's agency, which holds a record. The fields of medical insurance stand in
  the record that social security serves; medical insurance's "own" of FG11 is that part of it (facet `medical`).
- "name", "phone,N", "skills,N", "arrival date", "own notes" name facets, given in full.
- volunteer FG0 "C": existence with an open case. Market and bank are two roles with one row.
- "L": a statutory query, which has its second approver; the row "own 在押" (prison FG17): own records in custody.
- statistician "A": aggregates, so no field of a person. auditor FG1 "token": the log shows pseudonyms, no field.
- data subject: every cell is about the person's own record. FG5 "class+reason on request": the request is the purpose.
  FG8 "plan/agreement; notes summarised": status and helper; no summary exists, so notes are withheld.
- approver, sysadmin: nothing. "2" is break-glass: who and where the person is (FG0 to FG3), for a judicial office also
  its own archive of conviction, hand-over and plan (the note "own org archive with 2").
"""

from collections.abc import Mapping
from dataclasses import dataclass

GROUPS = [f"FG{number}" for number in range(19)]
ALL_PURPOSES = (
    "VERIFY_IDENTITY HANDOVER PICKUP PLACEMENT EMPLOYMENT RELIEF INSURANCE TAX_RELIEF LOAN RISK_CONTROL CASE_HANDLING "
    "STATISTICS SUPERVISION AUDIT SUBJECT_ACCESS"
).split()
LETTERS = {
    "J": "jurisdiction", "T": "term", "C": "case", "O": "own", "N": "consent", "K": "key_person", "2": "approved",
    "L": "statutory", "S": "subject",
}  # fmt: skip
ORDER = ["denied", "predicate", "masked", "full"]
_WORDS = {"F": "full", "M": "masked", "P": "predicate"}
_YES_OR_NO = {"predicate", "key-group"}

# role | agency | purposes | FG0 | FG1 | … | FG18
TABLE = """
prison             | justice            | HANDOVER PICKUP
    | F,C | F,C | F,C | F,C | F,O | F,O | F,O | F | status:F | – | P | P | – | – | F,O | – | F | in-custody:F,O | –
judicial-office    | justice            | VERIFY_IDENTITY HANDOVER PICKUP PLACEMENT EMPLOYMENT RELIEF RISK_CONTROL
    | F,J; F,2 | F,J,T; F,2 | F,J,T; F,2 | M; F,C; F,2 | F,J,T; class:F,J; F,2 | F,J,K; class:F | F,J,T | F,J; F,2
    | F,J; F,2 | P | status:F,J | P; months:F | status:F,J,T | P | P | P | F,J | detail:F,L,2 | –
county-office      | justice            | VERIFY_IDENTITY HANDOVER PICKUP PLACEMENT EMPLOYMENT RELIEF RISK_CONTROL SUPERVISION
    | F,J; F,2 | F,J; F,2 | M; F,2 | M; F,2 | F,J | F,J | F,J | F,J | M; notes:F,C | P | P | P | P | P | P | P | F
    | detail:F,L,2 | own-organisation:F
province-office    | justice            | SUPERVISION STATISTICS
    | F,C | M | M | – | M; class:F | class:F | – | F | – | P | – | P | P | P | – | – | P
    | detail:F,L,2 | own-organisation:F
police-station     | police             | VERIFY_IDENTITY PICKUP RISK_CONTROL CASE_HANDLING
    | F,J,(T|C); F,2 | F | F,J; F,2 | M; F,2 | class:F; release-date:F | class:F,K | – | F | contact-person:F | F,O
    | F,O | – | – | – | – | – | – | detail:F,L,2 | –
social-security    | social-security    | EMPLOYMENT INSURANCE
    | P,(N|C) | F,C | M,C | – | – | – | – | – | – | – | P | F,O | P | P | – | P | F | – | –
medical-insurance  | medical-insurance  | INSURANCE
    | P | F,C | M,C | – | – | – | – | – | – | – | P | F,O; medical:F,own | P | – | F,O | – | – | – | –
civil-affairs      | civil-affairs      | RELIEF
    | P,C | F,C | M,C | F,C | release-date:F,C | – | – | – | – | – | household:F,C | P | F,O | P | P | – | – | – | –
tax                | tax                | TAX_RELIEF
    | – | M,C | – | – | – | – | – | – | – | – | P | key-group:P | P | F,O | – | – | – | – | –
market-supervision | market-supervision | EMPLOYMENT
    | – | M,C | – | – | – | – | – | – | – | – | – | P | – | F,O | – | F,O,N | – | – | –
bank               | bank               | LOAN
    | – | M,C | – | – | – | – | – | – | – | – | – | P | – | F,O | – | F,O,N | – | – | –
base               | base               | PLACEMENT EMPLOYMENT
    | P,N | name:F | phone:F,N | – | – | – | skills:F,N | arrival-date:F | – | – | – | – | – | – | P,N | – | F,N | – | –
volunteer          | volunteer          | PLACEMENT EMPLOYMENT
    | F,C | name:F | phone:F,N | – | – | – | – | – | notes:F,O | – | – | – | – | – | – | – | – | – | –
procurator         | procuratorate      | SUPERVISION CASE_HANDLING
    | F,C | F,C | M | – | F,C | F,C | F,C | F | F,C | F,C | – | – | – | – | – | – | – | detail:F,L,2 | F,C
statistician       | audit              | STATISTICS
    | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | –
auditor            | audit              | AUDIT
    | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | meta:F | F
data-subject       | subject            | SUBJECT_ACCESS
    | F,S | F,S | F,S | F,S | F,S | class:F,S; reason:F,S | F,S | F,S | status:F,S; contact-person:F,S | – | F,S | F,S
    | F,S | F,S | F,S | F,S | F,S | detail:F,S,L,2 | who-saw-me:F,S
developer          | audit              |
    | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | –
approver           | justice            | SUPERVISION
    | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | –
sysadmin           | operations         |
    | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | – | –
"""


@dataclass(frozen=True)
class Row:
    agency: str
    purposes: tuple[str, ...]
    cells: Mapping[str, str]

    def letters(self) -> set[str]:
        """The conditions that stand in any cell of the row."""
        return {letter for cell in self.cells.values() for letter in LETTERS if letter in _conditions_of(cell)}


def _conditions_of(cell: str) -> set[str]:
    found: set[str] = set()
    for alternative in cell.split(";"):
        for condition in alternative.split(",")[1:]:
            found |= {"O"} if condition.strip() == "own" else set(condition.strip(" ()").split("|"))
    return found


def _read() -> dict[str, Row]:
    rows: dict[str, Row] = {}
    parts: list[str] = []
    for line in [*TABLE.strip().splitlines(), "end"]:
        if not line.startswith(" ") and parts:
            name, agency, purposes, *cells = [part.strip() for part in _split("".join(parts))]
            assert len(cells) == len(GROUPS), (name, len(cells))
            rows[name] = Row(agency, tuple(purposes.split()), dict(zip(GROUPS, cells, strict=True)))
            parts = []
        parts.append(line)
    return rows


def _split(text: str) -> list[str]:
    """At bars outside of parentheses."""
    found, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "|" and not depth:
            found.append("")
        else:
            found[-1] += character
    return found


ROWS = _read()


@dataclass(frozen=True)
class Place:
    """What the matrix knows of a field: nothing of its name."""

    group: str
    facet: str
    owner: str
    has_mask: bool = False


def expected(role: str, purpose: str, facts: Mapping[str, bool], place: Place) -> str:
    """The best effect that a cell of the matrix gives: denied, predicate, masked or full."""
    row = ROWS[role]
    if purpose not in row.purposes:
        return "denied"
    best = "denied"
    for alternative in row.cells[place.group].split(";"):
        word, *conditions = [part.strip() for part in alternative.split(",")]
        facet, _, letter = word.rpartition(":")
        if letter not in _WORDS or (facet and facet != place.facet):
            continue
        if not all(_holds(condition, facts, place, row.agency) for condition in conditions):
            continue
        given = _WORDS[letter]
        if (given == "predicate" and place.facet not in _YES_OR_NO) or (given == "masked" and not place.has_mask):
            continue
        best = max(best, given, key=ORDER.index)
    return best


def _holds(condition: str, facts: Mapping[str, bool], place: Place, agency: str) -> bool:
    if condition.startswith("("):
        return any(_holds(letter, facts, place, agency) for letter in condition.strip("()").split("|"))
    if condition == "own":
        return facts["own"]
    if condition == "O":
        return facts["own"] and place.owner == agency
    return facts[LETTERS[condition]]
