"""A person is named in exactly one way: anything else is refused before anything runs."""

import pytest

from tests.fitting import shipped
from tests.schema.test_views import answered


@pytest.mark.parametrize(
    "text",
    [
        "{ person(lookup: {}) { id } }",
        "{ person(lookup: {id: null}) { id } }",
        '{ person(lookup: {id: "a", caseNumber: "b"}) { id } }',
        '{ person(lookup: {id: "a", caseNumber: null}) { id } }',
        "query ($x: ID) { person(lookup: {id: $x}) { id } }",
        'query ($x: ID = "a") { person(lookup: {id: $x}) { id } }',
        "query ($x: ID!, $y: String!) { person(lookup: {id: $x, caseNumber: $y}) { id } }",
        "query ($l: PersonLookup! = {id: null}) { person(lookup: $l) { id } }",
        "{ explainAccess(person: {id: null}, coordinates: []) { code } }",
    ],
)
async def test_a_document_that_names_none_or_several_does_not_fit(text):
    assert (await answered("tax", text))[0] == "GRAPHQL_VALIDATION_FAILED"


async def test_one_way_fits():
    assert await answered("tax", '{ person(lookup: {id: "a"}) { id } }') == {"person": None}


def test_the_schema_says_so():
    assert "input PersonLookup @oneOf {" in shipped().sdl
