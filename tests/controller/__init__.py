"""Tests of the controller: what Services get, who may write it, and into what."""
