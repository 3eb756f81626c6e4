"""SORT and THREAD over columns of numbers, for every engine."""
