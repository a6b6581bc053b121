class Workspace:
    def counters(self) -> dict[str, int]: ...
    def set_counters(self, counters: dict[str, int]) -> None: ...

class Source:
    n_rows: int
    is_double: bool
