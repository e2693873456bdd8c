"""Ports of the services on Redis, in memory and over HTTP. Each works alone."""
