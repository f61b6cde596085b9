"""Stand-ins and builders that several tests share: workers, sides, runs, verdicts, machines, repositories."""
