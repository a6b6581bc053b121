"""Max-trees over many rows: find the entries above a threshold.  Needs `_base` alone.

- `asynchronous_tree`: AsynchronousTree, the public class; `arguments` checks what it is given
- `_max_trees`: memory, threads and exceptions; what other extensions call without the GIL
- `_max_trees_kernel.c`: layout, queries and updates
"""
