"""Logins by OAuth 2.0 tokens: OAUTHBEARER (RFC 7628) and XOAUTH2."""
