"""Statements that are true or false: how data sets of them are worded."""

from groundrl.questions.sentences import weave
from groundrl.questions.yes_no import statement
from groundrl.records import Grounding, Segments

# "points towards" and "to the left of" are both predicates, so that no verb can be put before them.


def relation_statement(subject: Grounding, predicate: str, object: Grounding) -> str:
    """ "True or false: cup on table." """
    return statement(f"{subject.label} {predicate} {object.label}")


def relation_rationale(
    subject: Grounding, predicate: str, object: Grounding, *, holds: bool
) -> Segments:
    """ "Here are the cup and the table. Cup on table: that is so." The first sentence points."""
    said = f"{subject.label} {predicate} {object.label}"
    return weave(
        "Here are the ",
        subject,
        " and the ",
        object,
        ". ",
        f"{said[:1].upper()}{said[1:]}: that is {'so' if holds else 'not so'}.",
    )
