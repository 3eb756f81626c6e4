"""A message on its way in: kept in memory while small, in a temporary file when large.

Turns a bare LF into CRLF as the bytes pass, and changes nothing else (IMAP's lines end in CRLF).
"""
