"""What counts as a change of the process."""

import io
import threading

from sparsebench.bench.system.isolation.process_state import ProcessState
from tqdm import tqdm


def test_a_thread_is_a_change_and_the_monitor_of_progress_bars_is_none() -> None:
    state = ProcessState()
    with tqdm(range(1), file=io.StringIO()):
        assert "tqdm_monitor" in {thread.name for thread in threading.enumerate()}
        assert state.restore() == []
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        assert state.restore() == ["threads that run (still so)"]
    finally:
        end.set()
        thread.join()
