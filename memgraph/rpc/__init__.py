"""gRPC: what is served by it, with its own statuses. It uses services as the API does."""
