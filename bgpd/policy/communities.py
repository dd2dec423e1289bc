"""What an alias of a Community document stands for, and what happens when nobody knows it.

An alias may be defined once. One that an advertisement in force still names outlives its document:
a community that goes from one moment to the next may open a filter on the router that it closed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from bgpd.model.configuration import BGPAdvertisement, Community
from bgpd.policy.admission import admit

_LARGE: Final = "large:"
_BEFORE: Final = " (before)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """Every alias that holds, and the documents that define them."""

    defined: tuple[Community, ...]
    outlived: tuple[Community, ...]
    """What is gone and may still be needed: only the aliases that are."""
    refused: tuple[str, ...]
    """Why a document does not hold, in a sentence each."""

    @property
    def documents(self) -> dict[str, Community]:
        """What is in force, by name."""
        return {one.name: one for one in (*self.defined, *self.outlived)}

    @property
    def values(self) -> dict[str, str]:
        """What each alias stands for."""
        return {k: v for one in self.documents.values() for k, v in one.values.items()}

    def unknown(self, advertisement: BGPAdvertisement) -> tuple[str, ...]:
        """Return the aliases of *advertisement* that stand for nothing."""
        if not advertisement.aliases:
            return ()
        return tuple(alias for alias in advertisement.aliases if alias not in self.values)

    def needed_by(self, advertisements: Iterable[BGPAdvertisement]) -> "Aliases":
        """Return the same without what is gone and none of *advertisements* names."""
        return replace(self, outlived=tuple(_needed(self.outlived, _named(advertisements))))

    def resolved(self, advertisement: BGPAdvertisement) -> BGPAdvertisement:
        """Return *advertisement* with communities instead of the aliases that are known."""
        if not advertisement.aliases:
            return advertisement
        values = self.values
        found = [values[one] for one in advertisement.aliases if one in values]
        large = {one.removeprefix(_LARGE) for one in found if one.startswith(_LARGE)}
        standard = {one for one in found if not one.startswith(_LARGE)}
        return replace(
            advertisement,
            communities=tuple(sorted(standard.union(advertisement.communities))),
            large_communities=tuple(sorted(large.union(advertisement.large_communities))),
            aliases=(),
        )


def aliases_of(
    documents: Iterable[Community],
    advertisements: Iterable[BGPAdvertisement],
    *,
    in_force: Mapping[str, Community],
) -> Aliases:
    """Return the aliases that *documents* define and those that *advertisements* may still need."""
    documents = tuple(documents)
    admission = admit(documents, in_force, _twice)
    names = {one.name for one in admission.admitted}
    # Where a document lives on without an alias, the alias gets a document of its own.
    before = (
        replace(one, name=f"{name}{_BEFORE}") if name in names else one
        for name, one in sorted(in_force.items())
    )
    missing = _named(advertisements) - {alias for one in documents for alias in one.values}
    return Aliases(
        defined=admission.admitted,
        outlived=tuple(_needed(before, missing)),
        refused=tuple(sentence for _, sentence in admission.refused),
    )


def sentences_of(outlived: Iterable[Community]) -> Iterator[str]:
    """Yield why each of *outlived* still holds."""
    for one in outlived:
        names = ", ".join(sorted(one.values))
        yield (
            f"Community {one.name.removesuffix(_BEFORE)} defines alias {names} no more, but a "
            "BGPAdvertisement still names it, so it keeps its last value; define it again, or "
            "remove it there"
        )


def _named(advertisements: Iterable[BGPAdvertisement]) -> set[str]:
    return {alias for one in advertisements for alias in one.aliases}


def _needed(documents: Iterable[Community], aliases: AbstractSet[str]) -> Iterator[Community]:
    for one in documents:
        values = {alias: value for alias, value in one.values.items() if alias in aliases}
        if values:
            yield replace(one, values=values)


def _twice(candidate: Community, others: Sequence[Community]) -> str | None:
    for other in others:
        for alias in sorted(candidate.values.keys() & other.values.keys()):
            return (
                f"Community {candidate.name}: alias {alias} is already defined by Community "
                f"{other.name}; an alias may be defined once, rename or remove one of them"
            )
    return None
