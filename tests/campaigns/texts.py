"""Everything in the project that reads the text of a model: who reads it, and texts as it expects
them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from groundrl.answers.alignment import Case
from groundrl.answers.options import read_answer, read_exactly
from groundrl.answers.rule_judge import judge_by_rule
from groundrl.answers.stated_relations import read_relations
from groundrl.answers.yes_no import read_yes_no
from groundrl.boxes import Box, Frame
from groundrl.chat.json_reply import read_object
from groundrl.chat.openai_compatible import read_reply
from groundrl.data.formats.option_text import split_options
from groundrl.data.formats.written_boxes import read_segments
from groundrl.evaluation.benchmarks.yes_no import read_first_word, read_yes_as_pope
from groundrl.evaluation.judging.ratings import read_rating
from groundrl.feedback.world_judge import judge_caption
from groundrl.grammar import GRAMMARS
from groundrl.grammar.base import Grammar
from groundrl.language.class_names import nouns_of
from groundrl.language.nouns import LexiconNouns
from groundrl.language.reading import parse_caption
from groundrl.language.splitting import split_sentences
from groundrl.published.drivingvqa import interleave
from groundrl.records import Grounding, Response
from groundrl.rewards.terms.repetition import repetition_penalty
from groundrl.synthesis.teachers.prompted import parse_caption_answer
from groundrl.synthesis.verifiers.prompted import parse_verdict_answer
from groundrl.world.graph import SceneSpec
from groundrl.world.render import build_scene

CAPTION = "There is a red cup left of the large blue ball. Two green lamps stand behind the cat."
REASONED = "The cup is left of the ball, so the answer is B. It is not (A) the cat."
OPTIONS = ("cup", "ball", "the red cat", "Both A and B")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReader:
    """A function of a text."""

    read: Callable[[str], object]
    texts: tuple[str, ...]
    """As it expects them."""
    errors: tuple[type[Exception], ...] = ()
    """What its docstring promises."""


def grammar_reader(grammar: Grammar) -> TextReader:
    """Of answers in one notation, with relations that they state."""
    frame = Frame.PIXEL if Frame.PIXEL in grammar.frames else next(iter(sorted(grammar.frames)))
    box = Box(x1=12.0, y1=40.0, x2=80.0, y2=131.0, frame=frame)
    cup, ball = (Grounding(label=label, box=box) for label in ("red cup", "ball"))
    response = Response(reasoning=("I see ", cup, " left of ", ball, "."), answer="the cup")

    def read(text: str) -> object:
        parsed = grammar.parse(text, frame)
        return parsed, list(read_relations(parsed.reasoning))

    return TextReader(read=read, texts=(grammar.render(response), *FRAGMENTS))


FRAGMENTS = (
    '<think>a <obj>cat</obj><bbox>[1, 2, 3, 4]</bbox> [1,2,3,4 cat]</think><answer>[{"bbox_2d": '
    '[1, 2, 3, 4], "label": "cat"}, {"label": "\\u00e9", "box_2d": [1, 2, 3, 4]}]</answer>',
    "<|object_ref_start|>cat<|object_ref_end|><|box_start|>(1,2),(3,4)<|box_end|> <ref>cat</ref>"
    "<box>[[1, 2, 3, 4], [5, 6, 7, 8]]</box> <|ref|>cat<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>",
    "<loc0123><loc0456><loc0789><loc0999> cat ; cat<loc_12><loc_34><loc_567><loc_890> "
    "<phrase>cat</phrase><object><patch_index_0044><patch_index_0863></object> {<1><2><3><4>}",
)
ANSWERS = (REASONED, "<answer>(B) ball</answer>", "Answer: **B** and C.", "A, B, and the red cat")
JSON = (
    '```json\n{"caption": "a cat", "decision": "repair", "reason": "r", "kind": "count", "span": '
    '"red cup", "repaired": "a blue cup"}\n```',
    '{"choices": [{"message": {"content": "yes"}}], "usage": {"prompt_tokens": 3}}',
)
SCENE = build_scene(SceneSpec(seed=0, index=0))


def judge(text: str) -> object:
    """By rule, with the text as reasoning and as answer."""
    one = Case(question="Which is left of the ball?", options=OPTIONS, reasoning=text, answer="A")
    other = Case(question="Is there a cat?", options=(), reasoning=REASONED, answer=text)
    return judge_by_rule(one), judge_by_rule(other)


TEXTS: Final = {
    **{f"grammar {name}": grammar_reader(grammar) for name, grammar in GRAMMARS.items()},
    "option": TextReader(
        read=lambda text: (read_answer(text, OPTIONS), read_exactly(text, OPTIONS)), texts=ANSWERS
    ),
    "verdict": TextReader(read=read_yes_no, texts=("It is true.", "No, that is false", CAPTION)),
    "yes or no": TextReader(
        read=lambda text: (read_yes_as_pope(text), read_first_word(text)), texts=("Yes, it is.",)
    ),
    "rating": TextReader(read=read_rating, texts=("Rating: 3, as ... rating: 5",)),
    "judge by rule": TextReader(read=judge, texts=ANSWERS),
    "sentences": TextReader(read=split_sentences, texts=(CAPTION, "e.g. Mr. A. said: 3.5 (x). y")),
    "nouns": TextReader(read=LexiconNouns(), texts=(CAPTION,)),
    "class names": TextReader(
        read=lambda text: nouns_of(text.split(",")), texts=("traffic_light,RBC,02_Cup (left)",)
    ),
    "caption": TextReader(
        read=partial(parse_caption, nouns=("cup", "ball", "lamp", "cat")), texts=(CAPTION,)
    ),
    "caption of a scene": TextReader(read=partial(judge_caption, SCENE), texts=(CAPTION,)),
    "question with options": TextReader(
        read=split_options, texts=("What is it?\nA. cat\nB. dog", "Which? (A) a (B) b", "1) a 2) b")
    ),
    "boxes in rows": TextReader(
        read=lambda text: read_segments(text, Frame.PERMILLE),
        texts=(*FRAGMENTS, "[1, 2, 3, 4]"),
        errors=(ValueError,),
    ),
    "explanation": TextReader(
        read=lambda text: interleave(
            text,
            [Grounding(label="red sign", box=Box(x1=4, y1=4, x2=14, y2=16, frame=Frame.PIXEL))],
        ),
        texts=("The **red sign** [4, 4, 10, 12] forbids it [1].",),
    ),
    "repetition": TextReader(read=partial(repetition_penalty, n=3), texts=(CAPTION,)),
    "object in a reply": TextReader(read=read_object, texts=JSON),
    "reply of a server": TextReader(
        read=lambda text: read_reply(text.encode("utf-8", "surrogatepass")), texts=JSON
    ),
    "caption of a teacher": TextReader(read=parse_caption_answer, texts=JSON),
    "verdict of a model": TextReader(
        read=lambda text: parse_verdict_answer(text, CAPTION), texts=JSON
    ),
}
ALL_TEXTS: Final = tuple(sorted({text for reader in TEXTS.values() for text in reader.texts}))
