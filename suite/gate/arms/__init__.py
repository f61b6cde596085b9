"""The two sides of a comparison, from what a user calls them to processes that can be started.

arm.py             the text of an arm, and what it turns out to be
checkouts.py       a revision's code, in a folder of its own
interpreters.py    the Python that runs it, with an environment of its own where its lock is another
code_ownership.py  which checkout a module belongs to
"""
