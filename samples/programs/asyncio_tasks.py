"""Eight tasks on one thread, each a transaction, taking turns: whose time is whose?

Four tasks are "heavy", four are "light". Each does ten steps: burn (heavy 30 ms, light 10 ms
of CPU time), then sleep so that the others run. The answer:

    transaction    count    CPU time, all together    function
    heavy          4        1.2 s  (75 %)             burn_heavily
    light          4        0.4 s  (25 %)             burn_lightly

No sample of a heavy transaction is in ``burn_lightly``, none of a light one in ``burn_heavily``.
"""

import asyncio
import sys
import time

from flamespan.profiler import transaction

STEPS = 10


def burn_heavily() -> None:
    until = time.thread_time() + 0.030
    while time.thread_time() < until:
        pass


def burn_lightly() -> None:
    until = time.thread_time() + 0.010
    while time.thread_time() < until:
        pass


async def heavy() -> None:
    with transaction("heavy", op="task"):
        for _ in range(STEPS):
            burn_heavily()
            await asyncio.sleep(0.001)


async def light() -> None:
    with transaction("light", op="task"):
        for _ in range(STEPS):
            burn_lightly()
            await asyncio.sleep(0.001)


async def main() -> None:
    await asyncio.gather(*(work() for _ in range(4) for work in (heavy, light)))


if __name__ == "__main__":
    asyncio.run(main())
    sys.exit(0)
