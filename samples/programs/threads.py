"""Threads that burn CPU time, sleep, and wait for a lock.

The answer, by thread name:

    thread     CPU time    function                    waits
    heavy      0.8 s       burn_heavily                for the GIL
    light      0.4 s       burn_lightly                for the GIL
    sleeper    0           sleep_all_the_time          in time.sleep, all the time
    holder     0           hold_the_lock               in time.sleep, with the lock
    waiter     0           wait_for_the_lock           for the lock, all the time
    MainThread 0           main                        in Thread.join
"""

import sys
import threading
import time

lock = threading.Lock()
taken = threading.Event()


def burn_heavily() -> None:
    while time.thread_time() < 0.8:
        pass


def burn_lightly() -> None:
    while time.thread_time() < 0.4:
        pass


def sleep_all_the_time() -> None:
    time.sleep(1.2)


def hold_the_lock() -> None:
    with lock:
        taken.set()
        time.sleep(1.2)


def wait_for_the_lock() -> None:
    taken.wait()
    with lock:
        pass


def main() -> int:
    workers = [
        threading.Thread(target=burn_heavily, name="heavy"),
        threading.Thread(target=burn_lightly, name="light"),
        threading.Thread(target=sleep_all_the_time, name="sleeper"),
        threading.Thread(target=hold_the_lock, name="holder"),
        threading.Thread(target=wait_for_the_lock, name="waiter"),
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
