"""What we chose where upstream leaves it open: one table for the runner and for the reference."""

from tests.conformance.case import Case, Map, COMMENTARY


def chosen(case: Case) -> Map:
    """Return what our reference says that *case* expects."""
    return case.expect
