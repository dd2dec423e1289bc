"""The room that decides on a migration from MetalLB."""
