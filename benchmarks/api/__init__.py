"""The three hottest endpoints of the API beside the same in other hands: `python -m benchmarks.api`."""
