"""Sliders above a picture: one module a notebook, with its stem, where it has explorers; `shell` is what all share.

Pictures that only one notebook draws stand here too, beside its explorers; those of two notebooks in `helpers.plots`.
"""
