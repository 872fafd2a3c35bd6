"""Runs → a table, on any executor: `Run`, `study`, `compare`."""
