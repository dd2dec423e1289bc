"""Selectors as cases write them in short, as Kubernetes documents have them."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from tests.conformance.room import InexpressibleError, listed

HOST: Final = "kubernetes.io/hostname"
"""The label by which a case chooses a node by its name."""

_NAME: Final = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_FORMS: Final = (
    (re.compile(rf"({_NAME})\s*==?\s*([-A-Za-z0-9_.]*)"), "In"),
    (re.compile(rf"({_NAME})\s*!=\s*([-A-Za-z0-9_.]*)"), "NotIn"),
    (re.compile(rf"({_NAME})\s+in\s*\(([^()]*)\)"), "In"),
    (re.compile(rf"({_NAME})\s+notin\s*\(([^()]*)\)"), "NotIn"),  # codespell:ignore notin
    (re.compile(rf"({_NAME})"), "Exists"),
    (re.compile(rf"!\s*({_NAME})"), "DoesNotExist"),
)
_COMMA: Final = re.compile(r",(?![^()]*\))")


def selectors(value: Any, nodes: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the selectors that a list stands for; a name among *nodes* chooses that node."""
    return [selector(one, nodes) for one in listed(value)]


def selector(value: Any, nodes: Collection[str] = ()) -> dict[str, Any]:
    """Return the selector that *value* stands for: `a=b,c in (d,e)`, or one in full."""
    if isinstance(value, Mapping):
        if not value or value.keys() & {"matchLabels", "matchExpressions"}:
            return dict(value)
        return {"matchLabels": {str(key): str(one) for key, one in value.items()}}
    text = str(value).strip()
    if text in {"everything", "all"}:
        return {}
    if text in nodes:
        return {"matchLabels": {HOST: text}}
    terms = [_term(one.strip()) for one in _COMMA.split(text)]
    if all(one["operator"] == "In" and len(one["values"]) == 1 for one in terms):
        return {"matchLabels": {one["key"]: one["values"][0] for one in terms}}
    return {"matchExpressions": terms}


def on_nodes(value: Any) -> list[dict[str, Any]]:
    """Return selectors for the nodes that are named in *value*; `all` needs none."""
    if value in (None, "all", "everything"):
        return []
    return [{"matchLabels": {HOST: str(one)}} for one in listed(value)]


def everything(value: Any) -> bool:
    """Return whether *value* leaves nothing out."""
    return value in (None, "all", "everything") or value == []


def _term(text: str) -> dict[str, Any]:
    for form, operator in _FORMS:
        found = form.fullmatch(text)
        if found is None:
            continue
        term: dict[str, Any] = {"key": found[1], "operator": operator}
        if operator in {"In", "NotIn"}:
            term["values"] = [one.strip() for one in found[2].split(",")]
        return term
    raise InexpressibleError(f"{text!r} is no selector")
