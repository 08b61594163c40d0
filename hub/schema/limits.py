"""How large a document may be: tokens before it is parsed, selections and cost before it is validated."""

from graphql import GraphQLSyntaxError, Lexer, Source, TokenKind

from hub.errors import CostLimitError, RequestError

MAX_TOKENS = 1_500
MAX_NESTING = 40
MAX_DEFINITIONS = 20
MAX_DIRECTIVES = 50
MAX_DEPTH = 12
MAX_ALIASES = 30
MAX_ROOT_FIELDS = 20
MAX_FIELDS = 500
MAX_SELECTIONS = 1_000  # fields, spreads and inline fragments, with fragments expanded
MAX_DEFERS = 10  # active ones
MAX_COST = 100_000
INTROSPECTION_DEPTH = 16


class ParseFailedError(RequestError):
    code = "GRAPHQL_PARSE_FAILED"
    public = "The document is not GraphQL."


def check_tokens(text: str) -> None:
    """Count tokens, brackets, directives before a parser recurses over them.

    Raises:
        ParseFailedError: not GraphQL's alphabet. CostLimitError: beyond a limit.
    """
    lexer = Lexer(Source(text))
    tokens = nesting = directives = 0
    try:
        while (token := lexer.advance()).kind is not TokenKind.EOF:
            tokens += 1
            if token.kind in (TokenKind.BRACE_L, TokenKind.PAREN_L, TokenKind.BRACKET_L):
                nesting += 1
            elif token.kind in (TokenKind.BRACE_R, TokenKind.PAREN_R, TokenKind.BRACKET_R):
                nesting -= 1
            elif token.kind is TokenKind.AT:
                directives += 1
            if tokens > MAX_TOKENS or nesting > MAX_NESTING or directives > MAX_DIRECTIVES:
                raise CostLimitError("document is too large")
    except GraphQLSyntaxError as exc:
        raise ParseFailedError("lexical error") from exc
