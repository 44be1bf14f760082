"""The visible checks, a module for each unit: what a learner gets beside the notebook, as `checks.py`."""
