"""SORT and THREAD over columns of numbers, in any engine."""
