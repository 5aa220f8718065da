"""Three functions that burn 50 %, 30 % and 20 % of 2 CPU seconds.

The answer, by function (share of all the time that the main thread runs):

    function              self    total
    takes_half            50 %    50 %
    takes_three_tenths    30 %    30 %
    takes_a_fifth         20 %    20 %
    calls_two_of_them      0 %    80 %
"""

import sys
import time

ROUNDS = 40


def takes_half() -> None:
    until = time.thread_time() + 0.025
    while time.thread_time() < until:
        pass


def takes_three_tenths() -> None:
    until = time.thread_time() + 0.015
    while time.thread_time() < until:
        pass


def takes_a_fifth() -> None:
    until = time.thread_time() + 0.010
    while time.thread_time() < until:
        pass


def calls_two_of_them() -> None:
    takes_half()
    takes_three_tenths()


def main() -> int:
    for _ in range(ROUNDS):
        calls_two_of_them()
        takes_a_fifth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
