"""The gate: is the candidate slower than the baseline in any case?

options.py      options as typed or configured -> one checked value
planning.py     options -> the plan, the arms, the record
runner.py       the loop: blocks until every case is decided or the time is up
verdict.py      the values of a verdict
output.py       the files and texts of a verdict
arms/           a user's text for a side -> its code, interpreter, variables and levels
record/         the values that are measured and kept, and gate.jsonl
measuring/      one fresh pair of processes through all open cases; memory; gates that take turns
deciding/       record -> verdict, with statistics/, each piece from its source
formats/        the verdict as a table, JSON, JUnit, Markdown, GitHub's annotations, a page
"""
