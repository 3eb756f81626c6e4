"""What is true of mail in any engine: pure functions and values, which an engine calls inside its transactions."""
