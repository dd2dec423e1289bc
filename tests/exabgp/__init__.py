"""Tests of the room that speaks with ExaBGP."""
