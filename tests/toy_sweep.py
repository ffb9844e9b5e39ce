"""The command line over the toy experiment, as a process of its own: ``toy_sweep.py LOG CELLS PAUSE ARGUMENTS...``."""

import sys
from pathlib import Path

from toy_experiment import Toy

from experiments.cli import main
from experiments.suite import by_id

if __name__ == "__main__":
    toy = Toy(log=Path(sys.argv[1]), cells=int(sys.argv[2]), pause=float(sys.argv[3]))
    sys.exit(main(sys.argv[4:], by_id([toy]), theorems=()))
