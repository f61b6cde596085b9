"""The gate's statistics: numbers in, numbers out, each piece from its source and checked against another one.

trimming.py           the middle of some numbers, a few of them disturbed
moderation.py         variances of many cases that know of each other
sign_flips.py         joint p-values by flipping the signs of whole blocks
serial_dependence.py  whether blocks resemble the block before them
spending.py           when the data are looked at, and how much error each look may spend
multiplicity.py       p-values of a list, adjusted for its length
"""
