"""What was measured -> the verdict. Knows no worker and no clock.

modes.py              the mode in which each case is measured
procedure.py          log ratios, block by block -> decisions
control.py            the machine against itself
attribution.py        which slowdowns explain the others
effect_sizes.py       sizes of large changes, measured again in turns
memory.py             memory of both sides, which needs no statistics
replay.py             a record -> where the procedure stands
verdict_builder.py    a record -> the whole verdict, as the values of `suite.gate.verdict`
memory_verdicts.py, conditions.py    its memory, and how it was measured
forecast.py           how many blocks fit in a budget, and what they can show
statistics/           each piece from its source
"""
