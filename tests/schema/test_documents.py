import pytest
from graphql import build_schema

from hub.connectors.mapping import Price
from hub.errors import CostLimitError
from hub.schema import documents as module
from hub.schema.cost import CostModel
from hub.schema.documents import Documents, InvalidDocumentError, OperationNameError
from hub.schema.weights import Weights

SCHEMA = build_schema("type Query { page(first: Int = 20): Page } type Page { edges: [Edge] } type Edge { cursor: ID }")
WEIGHTS = Weights(prices={"tax": Price(call=1, record=1)}, sizes={}, asks={}, witnesses={})
PAGE = "query A($n: Int) { page(first: $n) { edges { cursor } } } query B { page(first: 3) { edges { cursor } } }"


class Counting(CostModel):
    compiled = 0

    def compile(self, document, operation):
        self.compiled += 1
        return super().compile(document, operation)


@pytest.fixture
def costs():
    return Counting(SCHEMA, WEIGHTS)


@pytest.fixture
def documents(costs):
    return Documents(SCHEMA, costs)


def test_cost_is_compiled_once_for_each_operation_of_a_known_document(documents, costs):
    totals = [
        documents.prepare(PAGE, name, {"n": n}).cost.total for name, n in [("A", 5), ("A", 9), ("B", 9), ("B", 1)]
    ]
    assert totals == [6, 10, 4, 4]
    assert costs.compiled == 2


def test_a_known_document_is_still_refused_for_what_its_variables_cost(documents):
    documents.prepare(PAGE, "A", {"n": 5})
    with pytest.raises(CostLimitError):
        documents.prepare(PAGE, "A", {"n": 10**9})


def test_cost_is_refused_before_validation(documents, monkeypatch):
    monkeypatch.setattr(module, "validate", lambda *_args, **_more: pytest.fail("validated"))
    with pytest.raises(CostLimitError):
        documents.prepare("{ nonsense page(first: 1000000000) { edges { cursor } } }", None, {})


def test_an_invalid_document_is_not_remembered(documents, costs):
    for _ in range(2):
        with pytest.raises(InvalidDocumentError):
            documents.prepare("{ nonsense }", None, {})
    assert costs.compiled == 2


def test_an_operation_must_be_named_where_there_are_several(documents):
    with pytest.raises(OperationNameError):
        documents.prepare(PAGE, None, {"n": 1})
    with pytest.raises(OperationNameError):
        documents.prepare(PAGE, "C", {"n": 1})
