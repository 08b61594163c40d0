"""The text of a fetch: it depends on the layout and on who may see what, never on whom is asked for."""

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from hub.connectors.base import Layout
from hub.connectors.sql_statement import ROOM, StatementBuilder, keys_parameter
from tests.connectors.parts import mapping, nested, rule

MAPPING = mapping(rule("name"), rule("town"), nested("jobs", rule("job", field_of={"type_name": "Child"})))
LAYOUT = Layout(fields=("name", "town"), nested=(("jobs", ("job",)),))
ALL = frozenset({"TaxRecord.name", "TaxRecord.town", "TaxRecord.jobs", "Child.job"})
DIALECTS = {True: sqlite.dialect(), False: postgresql.asyncpg.dialect()}


def compiled(parts, *, is_sqlite: bool, layout: Layout = LAYOUT):
    statement = StatementBuilder(MAPPING, sqlite=is_sqlite).fetch(layout, parts)
    return statement.compile(dialect=DIALECTS[is_sqlite])


@pytest.mark.parametrize("is_sqlite", [True, False], ids=["sqlite", "postgresql"])
def test_keys_are_parameters_one_for_each_part(is_sqlite):
    names = set(compiled([ALL, ALL - {"TaxRecord.name"}], is_sqlite=is_sqlite).params)
    assert {keys_parameter(0), keys_parameter(1)} <= names
    assert (ROOM in names) is not is_sqlite


@pytest.mark.parametrize("is_sqlite", [True, False], ids=["sqlite", "postgresql"])
def test_a_column_that_every_part_may_see_is_not_guarded(is_sqlite):
    one, two = (
        str(compiled(parts, is_sqlite=is_sqlite)).count("CASE") for parts in ([ALL], [ALL, ALL - {"TaxRecord.name"}])
    )
    assert two == one + 1


@pytest.mark.parametrize("is_sqlite", [True, False], ids=["sqlite", "postgresql"])
def test_a_column_outside_the_layout_is_not_in_the_text(is_sqlite):
    text = str(compiled([ALL], is_sqlite=is_sqlite, layout=Layout(fields=("name",))))
    assert "name" in text
    assert "town" not in text
    assert "child" not in text


def test_a_column_that_no_part_may_see_is_never_read():
    text = str(compiled([ALL - {"TaxRecord.town"}], is_sqlite=False, layout=Layout(fields=("name", "town"))))
    assert "town" not in text
