"""The words that every room speaks: values with no behaviour beyond their own rules, no I/O."""
