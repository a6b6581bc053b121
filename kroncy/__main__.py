"""python -m kroncy: the command line."""

from .cli import main

raise SystemExit(main())
