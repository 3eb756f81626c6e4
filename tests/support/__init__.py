"""What the tests share: the transcript runner, and the servers ("worlds") that it can run against."""
