"""The gate: is the candidate slower than the baseline, in any case, by more than is tolerated?

planning.py     what a user asks for -> the plan, the arms, the record
runner.py       the loop: blocks until every case is decided or the time is up
verdict.py      the values of a verdict
output.py       where a verdict goes
arms/           what a user calls a side -> its code, interpreter, variables, levels, made ready
record/         the values that are measured and kept, and gate.jsonl
measuring/      one fresh pair of processes through all open cases; memory; gates that take turns
deciding/       record -> verdict, with statistics/, each piece from its source
formats/        the verdict as a table, JSON, JUnit, Markdown, GitHub's annotations, a page
"""
