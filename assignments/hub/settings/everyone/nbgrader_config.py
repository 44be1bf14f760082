"""What nbgrader needs to know on a hub, for the teacher and for students."""

import os
from pathlib import Path

from nbconvert.exporters import NotebookExporter

c = get_config()  # noqa: F821


class OurPages(NotebookExporter):
    """What the Formgrader's button for feedback gets: nbgrader's own pages would show the hidden checks."""

    def __init__(self, **_: object) -> None:
        raise RuntimeError("Pages without hidden checks are made in a terminal: `python -m assignments.hub feedback`.")


if folder := os.environ["WORKBOOK_COURSE_FOLDER"]:  # the teacher
    from assignments import classroom

    c.merge(classroom.configure(Path(folder)))  # so the Formgrader's button for grading has the sandbox, too
    c.CourseDirectory.submitted_directory = "collected"  # as it came; the driver grades a copy that it has repaired
    c.GenerateFeedback.exporter_class = OurPages
else:
    # nbgrader asks Linux who somebody is; where all share one account, only the hub knows.
    c.CourseDirectory.student_id = os.environ["WORKBOOK_STUDENT"]
c.CourseDirectory.course_id = os.environ["WORKBOOK_COURSE"]
c.Exchange.root = os.environ["WORKBOOK_EXCHANGE"]
