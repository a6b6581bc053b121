"""Draw the figure of docs/first-model.md with the programs of that page.

python docs/first_model.py
"""

import re
from pathlib import Path

HERE = Path(__file__).parent

if __name__ == "__main__":
    page = (HERE / "first-model.md").read_text()
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[:2]:
        exec(block, names)
    names["figure"].savefig(HERE / "first_model.png", dpi=100)
