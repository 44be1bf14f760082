"""Assignments for a class: one text for each unit, of which everything else is made, and the driver that grades them.

    python -m assignments build                                        the versions of every unit, in build/assignments
    python -m assignments grade UNIT --submissions DIR --out DIR       marks, a report, pages of feedback

`units` reads the text, `building` makes the versions; `collecting`, `sandbox`, `running` and `grading` take a pile of
submissions to marks, `reporting` and `pages` tell people about them. Only what stands in `grading` and below needs
nbgrader. What a learner gets of this folder is the notebook and its checks, `checks/UNIT.py`.
"""
