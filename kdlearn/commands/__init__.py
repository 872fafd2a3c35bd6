"""The `kdlearn` command."""
