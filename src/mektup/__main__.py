"""``python -m mektup`` is ``mektup``."""

from mektup.cli import main

main()
