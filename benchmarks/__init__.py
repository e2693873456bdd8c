"""Measurements against the bare driver and neomodel: ``python -m benchmarks --help``.

Every figure of ours is a ratio to a baseline that ran in the same minute on the same
server. Nothing here is part of the package.
"""
