"""Label selectors as values: which nodes, Services or pools a document speaks of."""

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
