"""Small clients of the three protocols, for programs that note every answer in a journal."""
