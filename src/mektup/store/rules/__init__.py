"""The rules of mail for every engine: pure functions and values, which an engine calls inside its transactions."""
