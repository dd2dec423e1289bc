"""Does a selector choose this object? The model's rules, under the name that policy uses."""

from bgpd.model.selector import matches, matches_any

__all__ = ["matches", "matches_any"]
