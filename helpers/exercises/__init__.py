"""What checks the answers of every "Your turn": one module for each notebook, made of what is in `feedback`.

A check compares with something that it works out itself, or with what the notebook measured; it gives a hint for each
of the usual mistakes. Imports go one way: `solved` (what is kept), `feedback`, the notebooks' modules, `progress`.
"""
