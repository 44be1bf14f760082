"""The invented class of each unit: its marks are those of the table of wrong answers. Nothing here needs nbgrader."""

import ast
import csv
import re

import pytest
from test_assignments import UNITS, lines, unit_names

from assignments import __main__, collecting, examples, reporting, units

SLOW = re.compile("keras|vgg16")
QUICK = [unit for unit in UNITS if not SLOW.search((units.HERE / "source" / f"{unit}.py").read_text(encoding="utf-8"))]


def mixtures(unit):
    return [one for one in examples.make_class(unit) if one.wrong]


def answers(unit):
    return [cell for cell in units.read_unit(unit) if cell.kind == "answer"]


@unit_names
def test_a_class_has_what_a_class_has(unit):
    made = {one.student: one for one in examples.make_class(unit)}
    full = sum(check.points for check in units.read_checks(unit).values())
    assert made["Ada Example"].points == full and set(made["Ada Example"].answers) > {cell.task for cell in answers(unit)}
    assert made["Émile Example"].points == 0 and not made["Émile Example"].answers
    assert len({tuple(one.wrong) for one in mixtures(unit)}) == 3 and all(0 < one.points < full for one in mixtures(unit))
    assert set().union(*(one.wrong for one in mixtures(unit))) == {cell.task for cell in answers(unit)}
    assert [one.student for one in made.values() if one.points is None] == ["Bruno Example", "Carla Example"]
    assert all("Example" in one.folder for one in made.values())


@unit_names
def test_in_a_mixture_nothing_calls_a_wrong_answer(unit):
    """So each answer gets what it gets alone, which the tests of the table try."""
    for one in mixtures(unit):
        for task, source in one.answers.items():
            if task in {cell.task for cell in answers(unit)}:
                names = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)]
                own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
                assert not ({node.id for node in names} - own - {task}) & set(one.wrong), (one.student, task)


@pytest.mark.parametrize("unit", QUICK)
def test_a_mixture_gets_the_points_of_the_table(unit):
    rows = examples.wrong_answers(unit)
    for one in mixtures(unit):
        found = lines(unit, [one.answers[cell.task] for cell in answers(unit)])
        assert sum(points for points, line in found.values() if line.startswith("Correct:")) == one.points, one.student
        for task, row in one.wrong.items():
            assert rows[task][row]["says"] in found[f"{task}-visible"][1]


def test_there_are_units_that_are_tried_as_a_whole():
    assert len(QUICK) >= 2


@unit_names
def test_the_same_class_is_written_twice_and_collected_as_it_was_made(unit, tmp_path):
    texts = []
    for name in ("one", "two"):
        made = examples.write(unit, tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        texts.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})
    assert texts[0] == texts[1] and len(texts[0]) == 2 * len(made) + 1
    found = {one.student: one for one in collecting.find(tmp_path / "one" / "submissions", unit)}
    assert set(found) == {one.student for one in made} and not [one for one in found.values() if one.problem]
    assert found["4711"].name == "Example, Łucja"
    late = [student for student, one in found.items() if f"{one.submitted:%Y-%m-%dT%H:%M}" > examples.DUE]
    assert late == ["Dora Example"]
    with pytest.raises(ValueError, match="no notebook"):
        collecting.read(found["Carla Example"].path)


@unit_names
def test_no_example_holds_a_hidden_check_or_a_solution_that_was_not_handed_in(unit, tmp_path):
    examples.write(unit, tmp_path)
    blank = collecting.read(tmp_path / "submissions" / "Émile Example" / f"{unit}.ipynb")
    text = "\n".join(cell.source for cell in blank.cells)
    assert "hidden." not in text and "SOLUTION" not in text and text.count("# your answer") == len(answers(unit))


def test_the_roster_names_who_is_absent(tmp_path):
    examples.write(UNITS[0], tmp_path)
    listed = reporting.read_roster(tmp_path / "roster.csv")
    with (tmp_path / "roster.csv").open(encoding="utf-8", newline="") as file:
        names = {row["student"]: row["name"] for row in csv.DictReader(file)}
    assert set(listed) - {one.student for one in examples.make_class(UNITS[0])} == {examples.ABSENT[0]}
    assert names["4711"] == "Example, Łucja" and list(names) == listed


def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for unit, out, said in (("astrology", "new", "no unit 'astrology'"), (UNITS[0], "full", "not an empty folder")):
        with pytest.raises(SystemExit, match=said) as stopped:
            __main__.main(["examples", unit, "--out", str(tmp_path / out)])
        assert len(str(stopped.value).splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["full"] and len(list((tmp_path / "full").iterdir())) == 1
    assert __main__.main(["examples", UNITS[0], "--out", str(tmp_path / "a folder")]) == 0
    said = capsys.readouterr().out
    assert all(one.about in said for one in examples.make_class(UNITS[0]))
    assert f"--submissions '{tmp_path}/a folder'/submissions" in said
