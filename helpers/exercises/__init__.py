"""The checks behind every "Your turn": one module a notebook, with its stem.

To add one: a `check_` function with `@exercise`, or with `@number_exercise` where the answer is a number, in the notebook's
order. The tests try the rows of wrong numbers by themselves, and what tests/wrong_answers adds for the notebook; the table
of progress finds the check by its name.
"""
