"""Decisions without I/O: which routes a node wants, and what goes to which peer's wire."""
