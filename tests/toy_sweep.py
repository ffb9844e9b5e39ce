"""The command line over the toy experiment, as a process of its own: ``toy_sweep.py LOG CELLS PAUSE ARGUMENTS...``."""

import signal
import sys
from pathlib import Path

from toy_experiment import Toy

from experiments.cli import main
from experiments.suite import by_id

if __name__ == "__main__":
    # A shell that starts its jobs in the background has them ignore Ctrl-C, and the tests may run in such a job.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    toy = Toy(log=Path(sys.argv[1]), cells=int(sys.argv[2]), pause=float(sys.argv[3]))
    sys.exit(main(sys.argv[4:], by_id([toy]), theorems=()))
