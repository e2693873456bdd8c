"""Ingestion: from files and events to the graph."""
