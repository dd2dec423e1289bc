"""The reflex: the small process beside ExaBGP that holds the fast path."""
