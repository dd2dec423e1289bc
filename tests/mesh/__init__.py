"""Tests of the mesh: tables, properties, and whole meshes in virtual time."""
