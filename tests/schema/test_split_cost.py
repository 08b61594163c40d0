"""The cost of an operation that `@defer` splits: the first answer, and what each part adds."""

from graphql import InlineFragmentNode, Visitor, get_operation_ast, parse, visit

from hub.schema.split_cost import split_cost
from tests.schema.test_cost import MODEL, total


class _Fragments(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[InlineFragmentNode] = []

    def enter_inline_fragment(self, node: InlineFragmentNode, *_args: object) -> None:
        self.found.append(node)


def test_a_part_costs_what_it_adds_to_the_first_answer():
    text = "query ($n: Int) { people(first: $n) { edges { node { id ... @defer { name } ... @defer { tax { number } } } } } }"
    document = parse(text)
    fragments = _Fragments()
    visit(document, fragments)
    costs = split_cost(MODEL, document, get_operation_ast(document), fragments.found)
    page = "{ people(first: 3) { edges { node { id %s } } } }"
    first, parts = costs.evaluate({"n": 3})
    assert first == total(page % "")
    assert parts == [total(page % "name") - first, total(page % "tax { number }") - first]


def test_a_field_of_a_fragment_that_is_spread_elsewhere_stays():
    document = parse("{ person { ...F ... @defer { ...F } } } fragment F on Person { name }")
    fragments = _Fragments()
    visit(document, fragments)
    first, parts = split_cost(MODEL, document, get_operation_ast(document), fragments.found).evaluate({})
    assert (first, parts) == (total("{ person { name } }"), [0])
