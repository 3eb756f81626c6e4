"""Values that all packages share: they have no behaviour beyond their own rules, and do no I/O."""
