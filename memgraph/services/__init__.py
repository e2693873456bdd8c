"""Use cases, one file per noun or job. They see the graph package, never the driver."""
