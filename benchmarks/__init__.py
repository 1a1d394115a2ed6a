"""Measurements of the parts, beside their peers: ``python -m benchmarks.<part>``.

Each takes ``--quick`` (at most five minutes on two cores) and ``--json FILE``, and
prints one JSON object as its last line. A ratio, not a time, is the figure to quote.
"""
