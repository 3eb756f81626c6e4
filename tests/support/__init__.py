"""What the tests share: the transcript runner, and the worlds in which a transcript plays."""
