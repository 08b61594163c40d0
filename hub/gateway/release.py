"""The only way out: values leave through an allow-list, masked where the decision says so.

Whatever an agency sends beyond the release tree is dropped here unseen.
"""

from collections.abc import Mapping, Sequence

from hub.auth.masks import mask
from hub.gateway.plan import ReleaseNode


def release_record(tree: Sequence[ReleaseNode], values: Mapping[str, object]) -> dict[str, object]:
    """Copy out of `values` exactly what `tree` lists, masked as it says; a missing value is None."""
    released: dict[str, object] = {}
    for node in tree:
        value = values.get(node.name)
        if value is None:
            released[node.name] = None
        elif node.children is not None:
            released[node.name] = _release_nested(node, node.children, value)
        elif node.mask is None:
            released[node.name] = value
        elif isinstance(value, list | tuple):
            released[node.name] = [mask(node.mask, item) for item in value]
        else:
            released[node.name] = mask(node.mask, value)
    return released


def release_value(mask_name: str | None, value: object) -> object:
    """One merged value, masked if `mask_name` is given."""
    return value if value is None or mask_name is None else mask(mask_name, value)


def _release_nested(node: ReleaseNode, children: Sequence[ReleaseNode], value: object) -> object:
    if node.many:
        assert isinstance(value, list | tuple)
        return [release_record(children, item) for item in value]
    assert isinstance(value, Mapping)
    return release_record(children, value)
