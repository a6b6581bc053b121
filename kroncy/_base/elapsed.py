"""How long something takes whose end nobody can foresee, shown while it takes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

TICK = 1.0  # seconds between two looks at the clock


@contextmanager
def show_elapsed(what: str, disable: bool = False) -> Iterator[None]:
    """Show on standard error for how long the block has been running, from its beginning on."""
    ended = threading.Event()
    with tqdm(desc=what, bar_format="{desc}: {elapsed}", disable=disable, leave=False) as bar:

        def tick() -> None:
            while not ended.wait(TICK):
                bar.refresh()

        clock = threading.Thread(target=tick, daemon=True)
        if not disable:
            clock.start()
        try:
            yield
        finally:
            ended.set()
            if not disable:
                clock.join()
