"""The command line as ``python -m kroncy``."""

from .cli import main

raise SystemExit(main())
