"""Comparison of two stored runs, for machines that cannot run both sides at once.

Two stored runs cannot separate the machine's change from the code's. The comparison therefore subtracts the change that
all cases share, and judges the rest of each case. Its bounds include how much cases differ between two runs of the same
code. A gate is more sensitive, because it measures both sides in the same seconds.

changes.py       two runs -> the change and verdict of each case
memory.py        two runs -> the same for memory, which the machine does not change
formats.py       a comparison -> a table or JSON, and the exit code
pairing.py       several runs -> each compared with the first, with the modes and the slower steps of its cases
superiority.py   steps of two runs -> the share of pairs in which the candidate's is slower
environments.py  several runs -> the facts that differ, and whether each may change results
phases.py        phases of the steps of changed cases, in both runs
wording.py, tables.py, page.py, compare.html.j2     these -> the page
"""
