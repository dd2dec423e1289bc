"""What an alias of a Community document stands for, and what happens when nobody knows it.

An alias may be defined once. One that an advertisement in force still names outlives its document:
a community that goes from one moment to the next may open a filter on the router that it closed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bgpd.model.configuration import BGPAdvertisement, Community
from bgpd.policy.admission import Admission, admit

_LARGE: Final = "large:"
_BEFORE: Final = " (before)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """Every alias that holds, and the documents that define them."""

    documents: Mapping[str, Community]
    """By name, with those that are gone but still needed."""
    values: Mapping[str, str]
    refused: tuple[str, ...]
    """Why a document does not hold, in a sentence each."""
    outlived: tuple[str, ...]
    """Why one that is gone still holds, in a sentence each."""

    def unknown(self, advertisement: BGPAdvertisement) -> tuple[str, ...]:
        """Return the aliases of *advertisement* that stand for nothing."""
        return tuple(alias for alias in advertisement.aliases if alias not in self.values)

    def resolved(self, advertisement: BGPAdvertisement) -> BGPAdvertisement:
        """Return *advertisement* with communities instead of the aliases that are known."""
        if not advertisement.aliases:
            return advertisement
        found = [self.values[one] for one in advertisement.aliases if one in self.values]
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
    """Return the aliases that *documents* define and those that *advertisements* still need."""
    documents = tuple(documents)
    admission = admit(documents, in_force, _twice)
    needed = {alias for one in advertisements for alias in one.aliases}
    needed -= {alias for one in documents for alias in one.values}
    kept = tuple(_kept(admission, needed, in_force))
    holding = (*admission.admitted, *kept)
    return Aliases(
        documents={one.name: one for one in holding},
        values={alias: value for one in holding for alias, value in one.values.items()},
        refused=tuple(sentence for _, sentence in admission.refused),
        outlived=tuple(_sentence(one, needed) for one in kept),
    )


def _kept(
    admission: Admission[Community], needed: set[str], in_force: Mapping[str, Community]
) -> Iterator[Community]:
    """Yield the documents that are gone, or no longer define what is needed, as they were."""
    names = {one.name for one in admission.admitted}
    for name, before in sorted(in_force.items()):
        values = {alias: value for alias, value in before.values.items() if alias in needed}
        if not values:
            continue
        # Where the document lives on without the alias, the alias keeps a document of its own.
        yield Community(name=f"{name}{_BEFORE}" if name in names else name, values=values)


def _twice(candidate: Community, others: Sequence[Community]) -> str | None:
    for other in others:
        for alias in sorted(candidate.values.keys() & other.values.keys()):
            return (
                f"Community {candidate.name}: alias {alias} is already defined by Community "
                f"{other.name}; an alias may be defined once, rename or remove one of them"
            )
    return None


def _sentence(document: Community, needed: set[str]) -> str:
    names = ", ".join(sorted(needed.intersection(document.values)))
    return (
        f"Community {document.name.removesuffix(_BEFORE)} defines alias {names} no more, but a "
        "BGPAdvertisement still names it, so it keeps its last value; define it again, or remove "
        "it there"
    )
