"""Signals that ask work to stop: a closed terminal is one, and nothing is written to it any more."""

import os
import pty
import signal

from forks import forked_call

from pairwright.terminal.interrupt import stop_requested


def _closed_terminal() -> None:
    ours, theirs = pty.openpty()
    os.dup2(theirs, 2)
    os.close(theirs)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    with stop_requested() as asked:
        assert not asked()
        os.close(ours)  # from here on, writing to it is an error
        for _ in range(2):  # by the shell and by the kernel
            os.kill(os.getpid(), signal.SIGHUP)
        assert asked()
        os.write(2, b"stopped\n")
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def _nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stop_requested() as asked:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not asked()


def test_a_closed_terminal_asks_to_stop_and_is_not_written_to() -> None:
    assert not forked_call(_closed_terminal, None)


def test_what_is_run_by_nohup_goes_on() -> None:
    assert not forked_call(_nohup, None)
