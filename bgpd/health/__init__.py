"""Probes: asking whether what is advertised works, and what to believe of the answers."""
