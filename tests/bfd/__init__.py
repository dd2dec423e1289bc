"""Tests of `bgpd.bfd`."""
