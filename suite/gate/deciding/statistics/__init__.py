"""The gate's statistics: published methods, checked against other implementations.

trimming.py           trimmed means, for numbers of which a few were disturbed
moderation.py         variances of many cases, drawn towards a common one
sign_flips.py         joint p-values by flipping the signs of whole blocks
serial_dependence.py  whether neighbouring blocks resemble each other
spending.py           the schedule of looks, and the error that each look may spend
multiplicity.py       p-values of a list, adjusted for its length
"""
