"""The reference of documents lists every field, and is what is in the repository."""

from pathlib import Path

import pytest

from bgpd.kube.reference import MEANINGS, page, spec_fields

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "documents.md"


@pytest.mark.parametrize("kind", sorted(MEANINGS))
def test_every_field_has_a_meaning_and_every_meaning_a_field(kind: str) -> None:
    """A new field cannot be forgotten, and one that is gone cannot be promised."""
    assert {name for name, _ in spec_fields(kind)} == set(MEANINGS[kind])


def test_the_page_is_up_to_date() -> None:
    """Write it anew from `bgpd.kube.reference.page()` when this fails."""
    assert PAGE.read_text() == page()
