"""Direct and mutual recursion that burn 60 % and 40 % of 1.5 CPU seconds.

The answer, by function (share of all the time that the main thread runs):

    function    self    total
    descend     60 %    60 %    each sample once, though it stands on its stack up to 40 times
    odd         20 %    40 %    never itself right below itself: odd and even take turns
    even        20 %    40 %

With direct recursion collapsed, every stack has one ``descend``; with cycles collapsed, one
``even``, one ``odd`` or both besides. Self and total times stay the same.
"""

import sys
import time

ROUNDS = 15
DEPTH = 40


def descend(levels: int) -> None:
    """Burn 1.5 ms at each level: 60 ms."""
    until = time.thread_time() + 0.0015
    while time.thread_time() < until:
        pass
    if levels > 1:
        descend(levels - 1)


def even(levels: int) -> None:
    """Burn 1 ms, then be odd."""
    until = time.thread_time() + 0.001
    while time.thread_time() < until:
        pass
    if levels > 1:
        odd(levels - 1)


def odd(levels: int) -> None:
    """Burn 1 ms, then be even."""
    until = time.thread_time() + 0.001
    while time.thread_time() < until:
        pass
    if levels > 1:
        even(levels - 1)


def main() -> int:
    for _ in range(ROUNDS):
        descend(DEPTH)
        even(DEPTH)
    return 0


if __name__ == "__main__":
    sys.exit(main())
