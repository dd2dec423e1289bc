"""The reflex and its parts."""
