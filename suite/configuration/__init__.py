"""Values that a project and its environment give to options.

values.py    the values, and which one wins: option, environment variable, file
files.py     the file of a folder
decoding.py  a file's table -> values, or one sentence
"""
