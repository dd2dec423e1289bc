"""A directory to put before all others on PYTHONPATH; see `sitecustomize.py`."""
