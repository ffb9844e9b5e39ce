"""Progress is drawn on a terminal and nowhere else."""

import io

from experiments.cell import CellReport
from experiments.progress import bar, inner
from experiments.spec import quiet

REPORT = CellReport("toy", "key", 0.1)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal(monkeypatch):
    """A terminal in place of stderr; called inside the test, because pytest puts its own there after the fixtures."""
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    return screen


def test_the_bar_counts_runs_and_names_failures(monkeypatch):
    screen = terminal(monkeypatch)
    with bar(2, enabled=True) as show:
        show(REPORT)
        show(CellReport("toy", "other", 0.1, error="no"))
    assert "2/2" in screen.getvalue() and "1 failed" in screen.getvalue()


def test_a_pipe_sees_no_bar(monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    with bar(2, enabled=True) as show:
        show(REPORT)
    inner(True)(1, 2)
    assert pipe.getvalue() == ""


def test_a_bar_that_was_not_asked_for_is_not_drawn(monkeypatch):
    screen = terminal(monkeypatch)
    with bar(2, enabled=False) as show:
        show(REPORT)
    assert screen.getvalue() == "" and inner(False) is quiet


def test_the_inner_bar_starts_again_after_a_run_that_failed(monkeypatch):
    screen = terminal(monkeypatch)
    progress = inner(True)
    progress(50, 100)
    progress(1, 7)
    assert "/100" in screen.getvalue() and "0/7" in screen.getvalue()
    progress(7, 7)
    progress(2, 9)
    assert "0/9" in screen.getvalue()
    progress(9, 9)
