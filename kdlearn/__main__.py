"""``python -m kdlearn``: the same as the ``kdlearn`` command."""

from kdlearn.commands.main import main

if __name__ == "__main__":
    raise SystemExit(main())
