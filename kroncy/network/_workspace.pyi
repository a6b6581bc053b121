class Workspace: ...

class Source:
    n_rows: int
    is_double: bool
