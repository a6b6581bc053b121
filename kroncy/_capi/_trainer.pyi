LOSSES: tuple[str, ...]
ENGINES: tuple[str, ...]
STARTS: tuple[str, ...]
