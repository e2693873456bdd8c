"""What is derived from the classes besides statements: JSON Schemas, pages, test factories.

Pure: descriptors and models in, dicts and text out. ``python -m memgraph.derive``
writes the pages of ``docs/``.
"""
