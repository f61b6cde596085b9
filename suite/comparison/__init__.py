"""Two stored runs side by side: the second-best way to see a change, for those who cannot run both sides at once.

What the machine did between two runs neither of them can see. What all cases have in common is therefore taken out: it
may be the machine's, or the code's, and two runs cannot tell. What is left of a case beside the others is judged, with
bounds that know how far cases were seen to part between these two runs. A gate measures both sides in the same
seconds, and knows more.

changes.py   two runs -> each case's change and verdict
memory.py    likewise of memory, which the machine does not change
formats.py   that -> a table, or JSON, and the exit code
"""
