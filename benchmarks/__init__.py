"""How fast the workbook is on this machine, and how much memory it takes: `python -m benchmarks [section ...]`."""

import helpers as helpers  # before TensorFlow, which it tells to be quiet
