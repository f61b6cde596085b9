"""Records in other tools' formats."""
