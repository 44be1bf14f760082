"""The checks behind every "Your turn", one module for each notebook.

A check compares with something that it works out itself, or with what the notebook measured; it gives a hint for each
of the usual mistakes. How feedback looks is the business of `helpers.checks`.
"""
