"""Questions answered per second, in three ways: ``python benchmarks/evaluate_speed.py``.

ours: what evaluate.py does. batched: ``model.generate`` on padded batches. loop: ``model.generate``
on one question after the other. All load and preprocess the images, take the likeliest tokens and
end where the answer does, with the same weights. The three take turns; medians over the turns.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import history
import torch
from transformers import AutoModelForImageTextToText, PreTrainedModel

from groundrl.boxes import Frame
from groundrl.data.datasets import SampleList
from groundrl.evaluation.benchmarks.world_pope import WorldPOPE
from groundrl.evaluation.heldout import answers_to
from groundrl.launch.logs import silence_libraries
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.embedded import embedded_model_dir
from groundrl.policy.load import load_policy
from groundrl.policy.policy import Policy
from groundrl.prompts import PromptTemplate
from groundrl.records import Sample
from groundrl.report.tables import Table, number, to_text
from groundrl.rollout.base import Sampling
from groundrl.rollout.native import NativeEngine
from groundrl.rollout.sampler import Sampler
from groundrl.world.vocabulary import CATEGORIES

Answers = list[tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The same weights twice."""

    policy: Policy
    stock: PreTrainedModel
    """As transformers loads it."""


def load(path: str, device: str) -> Models:
    """Both on ``device``, in 32 bits on a CPU and in 16 on a GPU."""
    dtype = "float32" if device == "cpu" else "bfloat16"
    policy = load_policy(path, Frame.PERMILLE, PromptTemplate(), Adapter(kind="frozen"), dtype)
    source = str(embedded_model_dir()) if path == "embedded" else path
    stock = AutoModelForImageTextToText.from_pretrained(source, dtype=getattr(torch, dtype))
    return Models(policy=policy.to(device), stock=stock.to(device).eval())


def questions(images: int, per_image: int) -> tuple[Sample, ...]:
    """Whether things are there, ``per_image`` of them for each image, as in POPE."""
    names = [name for words in CATEGORIES.values() for name in words]
    return tuple(
        replace(sample, id=f"{sample.id}/{i}", question=f"Is there a {names[i % len(names)]}?")
        for sample in WorldPOPE(size=images).questions().samples[::2]
        for i in range(per_image)
    )


def ours(models: Models, samples: tuple[Sample, ...], max_tokens: int) -> Answers:
    """Batches of 128, images and their part of the prompt once."""
    sampling = Sampling(max_tokens=max_tokens, temperature=0.0)
    sampler = Sampler(NativeEngine(), sampling, group_size=1)
    batches = answers_to(SampleList(samples), models.policy, models.policy.encode, sampler)
    return [group.completions[0].tokens for groups in batches for group in groups]


def generated(
    models: Models, samples: tuple[Sample, ...], max_tokens: int, batch: int
) -> Iterator[tuple[int, ...]]:
    """``model.generate`` on ``batch`` questions at a time, padded on the left."""
    policy = models.policy
    end = policy.eos_token
    for start in range(0, len(samples), batch):
        part = samples[start : start + batch]
        chats = [policy.encode.template.messages(sample) for sample in part]
        inputs = policy.processor(
            text=[
                policy.processor.apply_chat_template(
                    chat, tokenize=False, add_generation_prompt=True
                )
                for chat in chats
            ],
            images=[[image.load() for image in sample.images] for sample in part],
            return_tensors="pt",
            padding=True,
            padding_side="left",
            add_special_tokens=False,
        ).to(policy.device)
        rows = models.stock.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=max_tokens,
            eos_token_id=end,
            pad_token_id=policy.pad_token,
            suppress_tokens=list(policy.spec.placeholders),
        )
        for row in rows[:, inputs["input_ids"].shape[1] :].tolist():
            yield tuple(row[: row.index(end) + 1] if end in row else row)


def measure(
    ways: dict[str, Callable[[], Answers]], count: int, turns: int
) -> dict[str, dict[str, float]]:
    """Medians of ``turns`` turns after one that prepares kernels."""
    answers = {name: way() for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return {
        name: {
            "samples_per_second": count / median(seconds[name]),
            "ours_is_faster": median(
                other / own for other, own in zip(seconds[name], seconds["ours"], strict=True)
            ),
            "same_answers": sum(map(tuple.__eq__, answers[name], answers["ours"])) / count,
            "tokens_per_answer": sum(map(len, answers[name])) / count,
        }
        for name in ways
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="embedded", help="folder or hub id")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--per-image", type=int, default=6, help="questions about each")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32, help="of the batched one")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    history.add_options(parser)
    options = parser.parse_args()
    silence_libraries()
    torch.set_num_threads(options.threads)
    models = load(options.model, options.device)
    samples = questions(options.images, options.per_image)
    work = (models, samples, options.max_tokens)
    found = measure(
        {
            "ours": partial(ours, *work),
            "batched": lambda: list(generated(*work, batch=options.batch)),
            "loop": lambda: list(generated(*work, batch=1)),
        },
        len(samples),
        options.turns,
    )
    names = ("samples_per_second", "ours_is_faster", "same_answers", "tokens_per_answer")
    rows = tuple((way, *(number(row[name]) for name in names)) for way, row in found.items())
    columns = ("", "questions/s", "ours is faster, x", "same answers", "tokens/answer")
    print(" ".join(f"{name}={value}" for name, value in vars(options).items()))
    print(f"\n{to_text(Table(columns=columns, rows=rows))}")
    history.keep(options, found)


if __name__ == "__main__":
    main()
