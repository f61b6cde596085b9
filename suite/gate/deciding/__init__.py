"""Measurements -> the verdict, without workers and clocks.

mode_choice.py        the mode in which each case is measured
procedure.py          log ratios, block by block -> decisions
control_blocks.py     the machine against itself
attribution.py        which slowdowns explain the others
effect_sizes.py       sizes of large changes, measured again in turns
memory.py             memory of both sides, which needs no statistics
replay.py             a record -> the state of the procedure
verdict_builder.py    a record -> the whole verdict, as the values of `suite.gate.verdict`
memory_verdicts.py, conditions.py    the verdict's memory, and the conditions of its measurement
forecast.py           how many blocks fit in a budget, and the smallest slowdown that they find
statistics/           each method from its source
"""
