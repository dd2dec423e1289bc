"""Label selectors as values: which nodes, Services or pools a document speaks of."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Operator(StrEnum):
    """How a requirement compares a label, in Kubernetes' words."""

    IN = "In"
    NOT_IN = "NotIn"  # codespell:ignore notin
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One condition on one label; `matchLabels` become `In` with a single value."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()


Selector: TypeAlias = tuple[Requirement, ...]
"""All requirements must hold; the empty selector selects everything."""

Selectors: TypeAlias = tuple[Selector, ...]
"""Any selector may match; no selectors at all select everything."""


def matches_any(selectors: Selectors, labels: Mapping[str, str]) -> bool:
    """Return whether one of *selectors* chooses *labels*; without selectors everything is."""
    return not selectors or any(matches(selector, labels) for selector in selectors)


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Return whether every requirement of *selector* holds for *labels*."""
    return all(_holds(requirement, labels) for requirement in selector)


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case Operator.IN:
            return value in requirement.values
        case Operator.NOT_IN:
            # As in Kubernetes: an object without the label is chosen.
            return value not in requirement.values
        case Operator.EXISTS:
            return value is not None
        case Operator.DOES_NOT_EXIST:
            return value is None
