"""The units: what is made of each text, and what its checks say of right and wrong answers. Nothing here needs nbgrader."""

import ast
import functools
import re
import zipfile

import course
import nbformat
import pytest
from nbclient import NotebookClient

from assignments import building, collecting, examples, reporting, units, wire

UNITS, UNIT = units.names(), "mlp_and_backpropagation"  # where one is enough
unit_names = pytest.mark.parametrize("unit", UNITS)
WRONG = {unit: examples.wrong_answers(unit) for unit in UNITS}
ROWS = [(unit, task, row) for unit in UNITS for task, rows in WRONG[unit].items() for row in rows]


@functools.cache
def solved(unit):
    """Return the names that a unit's cells define with its solutions: run once, so that a network is built once."""
    scope = {}
    for cell in units.read_unit(unit):
        if cell.type == "code" and cell.kind in ("", "answer"):
            exec(units.solution(cell).replace("import checks as check", ""), scope)
    return scope


def lines(unit, answers, task=""):
    """Return the points and the line of each check, or of those of one task, with these answers in place of solutions."""
    scope = dict(solved(unit))
    for answer in answers:
        exec(answer, scope)
    return {
        grade_id: (check.points, check.function.line_for(*(scope[name] for name in check.names)))
        for grade_id, check in units.read_checks(unit).items()
        if grade_id.startswith(f"{task}-" if task else "")
    }


def answer_cells(unit):
    """Return the cells of a unit that a learner fills with code."""
    return [cell for cell in units.read_unit(unit) if cell.kind == "answer"]


@unit_names
def test_the_solution_gets_full_marks_and_the_stub_none(unit):
    right, blank = lines(unit, []), lines(unit, [units.stub(cell) for cell in answer_cells(unit)])
    assert all(line.startswith("Correct:") for _, line in right.values()), right
    assert all(line.startswith("Your turn:") for _, line in blank.values()), blank


@pytest.mark.parametrize(("unit", "task", "row"), ROWS, ids=lambda one: one if isinstance(one, str) else one["says"][:20])
def test_a_wrong_answer_gets_its_own_words_and_its_points(unit, task, row):
    found = lines(unit, [row["answer"].strip()], task)
    assert row["says"] in found[f"{task}-visible"][1]
    assert sum(points for points, line in found.values() if line.startswith("Correct:")) == row["points"], found
    assert row["points"] < sum(points for points, _ in found.values()), "this answer would be right"


@unit_names
def test_a_check_looks_at_what_its_own_answer_defines(unit):
    """So nothing but that cell has to be run again for another answer."""
    trees = {cell.task: ast.parse(units.solution(cell)) for cell in answer_cells(unit)}
    for grade_id, check in units.read_checks(unit).items():
        own = {node.name for node in trees[grade_id.rpartition("-")[0]].body if isinstance(node, ast.FunctionDef)}
        assert set(check.names) <= own, grade_id


@unit_names
def test_every_task_has_what_a_task_needs(unit):
    cells = units.read_unit(unit)
    of_kind = {kind: [cell for cell in cells if cell.kind == kind] for kind in (*units.KINDS, "")}
    tasks = [cell.task for cell in of_kind["answer"]]
    assert 5 <= len(tasks) <= 6 and 25 <= sum(cell.points for cell in cells) <= 40
    assert tasks == [cell.task for cell in of_kind["visible"]] == [cell.task for cell in of_kind["hint"]]
    assert set(WRONG[unit]) == set(tasks) and all(3 <= len(rows) <= 6 for rows in WRONG[unit].values())
    assert all(len({row["says"] for row in rows}) >= 3 for rows in WRONG[unit].values())
    assert len(of_kind["hidden"]) >= 3 and len(of_kind["essay"]) == 1
    headings = re.findall(r"^## (\d+)\.", "\n".join(cell.source for cell in of_kind[""]), re.MULTILINE)
    assert headings == [str(number) for number in range(1, len(tasks) + 2)]
    minutes = int(re.search(r"\*\*(\d+) minutes\*\*", cells[0].source)[1])
    assert 45 <= minutes <= 90
    assert len({cell.grade_id for cell in cells}) == len(cells)


@unit_names
def test_no_answer_can_be_copied_from_a_notebook(unit):
    taught = "\n".join(cell.source for notebook in course.NOTEBOOKS for cell in course.read(notebook).cells)
    for cell in answer_cells(unit):
        statements = [line.strip() for line in units.solution(cell).splitlines() if len(line.strip()) > 30]
        known = sum(line in taught for line in statements)
        assert known <= len(statements) / 3, cell.task


@unit_names
def test_what_a_learner_gets_holds_no_hidden_check(unit):
    for notebook in (building.self_paced(unit), building.solution(unit)):
        assert "hidden." not in "".join(cell.source for cell in notebook.cells)
    assert "assignments.hidden" not in (units.HERE / "checks" / f"{unit}.py").read_text(encoding="utf-8")


@unit_names
def test_the_versions_for_ones_own_pace_run(unit, tmp_path):
    """Unsolved it says "Your turn" at every check and goes on; solved, "Correct"; hints and solutions are folded."""
    tasks = [cell.task for cell in answer_cells(unit)]
    for version, start in ((building.self_paced, "Your turn:"), (building.solution, "Correct:")):
        path = building.write(version(unit), tmp_path / version.__name__, unit)
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
        checks = [cell.outputs for cell in notebook.cells if cell.source.startswith("check.")]
        said = ["".join(one.text for one in outputs if one.get("name") == "stdout") for outputs in checks]
        assert len(said) == len(tasks) and all(line.startswith(start) for line in said), said
    folded = "".join(cell.source for cell in building.self_paced(unit).cells)
    assert folded.count("<summary>Hint</summary>") == len(tasks)
    assert folded.count("<summary>Solution</summary>") == len(tasks) + 1


def test_a_bundle_is_the_same_whenever_it_is_made(tmp_path):
    made = []
    for attempt in ("one", "two"):
        path = building.write(building.self_paced(UNIT), tmp_path / attempt / UNIT, UNIT)
        building.bundle(path.parent, tmp_path / f"{attempt}.zip")
        made.append((tmp_path / f"{attempt}.zip").read_bytes())
    assert made[0] == made[1]


VALUES = [None, True, 3, 2.5, "text", [1, (2, "a")], {"a": [1]}, {1, 2}, ..., float("inf")]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_values_cross_the_wall(value):
    assert wire.unpack(wire.json.loads(wire.json.dumps(wire.pack(value)))) == value


def test_arrays_and_tensors_cross_the_wall():
    import numpy as np

    assert type(wire.unpack(wire.pack(np.str_("block4_pool")))) is str

    for array in (np.eye(3)[:, ::2], np.float32(2.5), np.zeros((0, 2), "int8"), np.array([True])):
        back = wire.unpack(wire.json.loads(wire.json.dumps(wire.pack(array))))
        assert back.dtype == array.dtype and back.shape == array.shape and np.array_equal(back, array)


PERVERSE = [
    {"is": "array", "type": "O", "shape": [1], "of": ""},
    {"is": "array", "type": "<f8", "shape": [10**9], "of": ""},
    {"is": "array", "type": "<f8", "shape": [-1], "of": "AAAA"},
    {"is": "array", "type": "<f8", "shape": [2], "of": "?"},
    {"is": "pickle", "of": "gASV"},
    {"is": "list", "of": 3},
    {},
    [1],
]


@pytest.mark.parametrize("packed", PERVERSE, ids=str)
def test_what_no_notebook_hands_over_is_refused(packed):
    with pytest.raises(ValueError):
        wire.unpack(packed)


def test_a_function_runs_on_the_other_side_and_changes_arrays_here():
    import numpy as np

    def add_one(x):
        x += 1
        return x.sum()

    def swap_last(layers):
        layers[0][0][:] = 5
        layers[-1] = (np.ones(4), 1)
        layers.append(3)

    scope = {"add_one": add_one, "swap_last": swap_last, "stops": lambda: 1 / 0, "leaves": lambda: exit()}
    remote = {
        name: wire.fetch(lambda asked: wire.json.loads(wire.serve(wire.json.dumps(asked), scope)), name) for name in scope
    }
    x = np.zeros(3)
    assert remote["add_one"](x) == 3 and x.tolist() == [1, 1, 1]
    layers = [(np.zeros(2), 1), (np.zeros(3), 2)]
    first = layers[0][0]
    remote["swap_last"](layers)
    assert first.tolist() == [5, 5] and layers[1][0].tolist() == [1, 1, 1, 1] and layers[2] == 3
    for name, kind in (("stops", "ZeroDivisionError"), ("leaves", "SystemExit")):
        with pytest.raises(Exception) as caught:
            remote[name]()
        assert type(caught.value).__name__ == kind
    with pytest.raises(NameError, match="there is no absent"):
        wire.fetch(lambda asked: wire.json.loads(wire.serve(wire.json.dumps(asked), scope)), "absent")


def test_a_zip_of_moodle_is_unpacked_and_nothing_gets_out_of_its_folder(tmp_path):
    entries = {
        "Ada Lovelace_17_assignsubmission_file_/mine.ipynb": "{}",
        "Émilie du Châtelet_18_assignsubmission_file_/work.ipynb": "{}",
        "../../outside_19_assignsubmission_file_/work.ipynb": "{}",
        "readme.txt": "",
    }
    with zipfile.ZipFile(tmp_path / "moodle.zip", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with collecting.opened(tmp_path / "moodle.zip") as folder:
        found = {one.student: one for one in collecting.find(folder, UNIT)}
        assert {student: one.name for student, one in found.items()} == {
            "17": "Ada Lovelace",
            "18": "Émilie du Châtelet",
            "19": "outside",
        }
        assert all(one.path.resolve().is_relative_to(folder.resolve()) for one in found.values())
    assert not folder.exists() and [path.name for path in tmp_path.iterdir()] == ["moodle.zip"]
    with pytest.raises(SystemExit, match="neither a folder nor a zip"), collecting.opened(tmp_path / "nowhere"):
        pass


def test_two_submissions_of_one_student_are_named_and_not_chosen_between(tmp_path):
    for name in ("Ada_17_assignsubmission_file_", "Ada_17_assignsubmission_file_2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.ipynb").write_text("{}")
    [one] = collecting.find(tmp_path, UNIT)
    assert one.student == "17" and "two submissions" in one.problem


def test_a_table_holds_no_formula():
    blank = dict.fromkeys(reporting.COLUMNS, "")
    table = reporting.as_table(
        [blank | {"student": "ada", "name": '=HYPERLINK("x")', "reason": 'Lovelace, "Countess"', "score": 3.0}]
    )
    assert "\"'=HYPERLINK(" in table and ",3.0," in table and '"Lovelace, ""Countess"""' in table


def given_notebook():
    """Return a notebook as a class gets it, made without nbgrader."""
    made = building.master(UNIT)
    for cell in made.cells:
        if not cell.metadata.nbgrader.locked:
            cell.source = units.CODE_STUB
    return made


def rebuilt(change):
    """Return what becomes of a notebook of a class after a change, and what had to be repaired."""
    given = given_notebook()
    mine = nbformat.from_dict(given_notebook())
    change(mine.cells)
    return collecting.rebuild(collecting.plain(mine), given)


def test_copied_cells_count_once_and_deleted_checks_come_back():
    notebook, notes = rebuilt(lambda cells: cells.insert(3, cells[7]))
    ids = [cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert len(ids) == len(set(ids)) and notes[0].startswith("copied cells: ")
    before = [cell.metadata.nbgrader.grade_id for cell in given_notebook().cells]
    place = before.index("majority-visible")
    notebook, notes = rebuilt(lambda cells: cells.pop(place))
    assert [cell.metadata.nbgrader.grade_id for cell in notebook.cells] == before
    assert notes == ["cells put back: majority-visible"]


def test_a_notebook_that_lost_its_marks_gets_them_back_where_its_cells_are_unchanged():
    notebook, notes = rebuilt(lambda cells: [cell.metadata.clear() for cell in cells])
    checks = [c.source for c in notebook.cells if c.cell_type == "code" and c.metadata.get("nbgrader", {}).get("grade")]
    assert len(checks) == len(units.read_checks(UNIT)) and notes == ["cells put back: in_your_own_words"]


def test_points_and_locked_cells_are_ours():
    def cheat(cells):
        for cell in cells:
            cell.metadata.nbgrader.update(points=100, locked=False)
            cell.source = "1"

    notebook, _ = rebuilt(cheat)
    given = {cell.metadata.nbgrader.grade_id: cell for cell in given_notebook().cells}
    for cell in notebook.cells:
        own = given[cell.metadata.nbgrader.grade_id]
        assert cell.metadata.nbgrader == own.metadata.nbgrader
        assert cell.source == (own.source if own.metadata.nbgrader.locked else "1")
