"""Texts from outside in the markup of other programs, shared by gate and exports.

printable.py        any text -> one line that XML, HTML and a terminal can print
github_markdown.py  escaped texts, code, tables and lists within GitHub's limits
junit.py            a JUnit file with its counts

The room imports no other.
"""
