"""Commands for developers: benchmarks, and the generators of workflows, node snapshot, help pages and thumbnails."""
