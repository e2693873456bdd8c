"""What the service does by the clock: jobs, each short and safe to run twice."""
