"""The gate: is the candidate slower than the baseline, in any case, by more than is tolerated?

settings.py     what a user asks for -> the plan, the arms, the ledger
arms/           what a user calls a side -> its code, interpreter, variables, levels, made ready
records.py      the values that are measured and kept
pair.py         one case, a worker of each side, measured against each other
blocks.py       one fresh pair of processes through all open cases
ratio.py        rounds of both sides -> one log ratio
statistics/     each piece from its source
procedure.py    log ratios, block by block -> verdicts
memory.py       memory of both sides, which needs no statistics
ledger.py       what was measured, on disk: gate.jsonl
live.py         the loop: blocks until all is settled or the time is up
turns.py        which of several gates on one machine measures now
replay.py       a ledger -> where the procedure stands
judge.py        a ledger -> the whole verdict, as the values of verdict.py
memory_verdicts.py, circumstances.py     its memory, and how it was measured
explain.py      what slowed what
control.py      the machine against itself
formats/        the verdict as a table, JSON, JUnit, Markdown, GitHub's annotations, a page
files.py        where those go
"""
