"""What a case is made of: one file or one entry for each level of a factor, found by `suite.registry`."""
