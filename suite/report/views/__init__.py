"""Sections of the page, each a module, a template, a style sheet and a script.

All have one name. A view without a style sheet or a script needs none.

A module has `view(facts)`, which returns a `View`, or None where the run has nothing for the section.
`suite.report.page.VIEWS` is their order on the page.
"""
