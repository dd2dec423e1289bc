"""Stand-ins that keep the invariants of the real things."""
