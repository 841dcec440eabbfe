"""Run every benchmark, or the one that is named: `python benchmarks/run.py [NAME]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BENCHMARKS = sorted(path.stem for path in HERE.glob("*.py") if path.stem != "run")


def main(names: list[str]) -> int:
    """Run the named benchmarks, all of them without a name; the first failure's exit code."""
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"error: no benchmark {unknown[0]}; known: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=HERE.parent, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
