"""The values that every room speaks of: standard library only, no behavior beyond validity.

A value of this room is frozen and valid once it exists. Rooms import the model; the model
imports nothing of ours.
"""
