"""The two sides of a comparison, from a user's text to processes.

spec.py            the text of an arm -> what it names
arm.py             what it names -> code, interpreter, variables and levels
checkouts.py       a revision's code, in a separate folder
interpreters.py    the Python of an arm, with a separate environment if its lock differs
images.py          an image, and the Stepmark that it contains
code_ownership.py  which checkout a module belongs to
"""
