"""Mends what ``checks`` finds: values that follow from others are computed again, one transaction for each step.

Every change takes a new modseq, so that clients and other processes learn of it like of any other change. No step
removes octets of mail.
"""
