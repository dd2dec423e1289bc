"""Does a selector choose this object? Kubernetes' label selector rules, nothing else."""

from collections.abc import Mapping

from bgpd.model.selector import Operator, Requirement, Selector, Selectors


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
