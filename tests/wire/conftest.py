"""What tests of the bot in this process share."""

from tests.support.bench_fixtures import bench, hurried, make_bench

__all__ = ["bench", "hurried", "make_bench"]
