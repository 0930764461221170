"""A loaded model that answers questions about pictures."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from groundrl.answers.attempt import Attempt, read_attempt
from groundrl.answers.notation import Notation
from groundrl.ask.question import check_no_control_tokens, make_sample, open_template
from groundrl.data.datasets import SampleList
from groundrl.evaluation.heldout import answers_to
from groundrl.policy.adapters.adapter import has_adapter, without_adapter
from groundrl.policy.policy import Policy
from groundrl.records import ImageSource
from groundrl.rollout.base import RolloutEngine, Sampling
from groundrl.rollout.sampler import Sampler


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A policy with how it samples and how it writes boxes."""

    policy: Policy
    notation: Notation
    engine: RolloutEngine
    sampling: Sampling
    """Of the first answer."""
    seed: int = 0

    def __call__(self, images: Sequence[ImageSource], question: str) -> Iterator[Attempt]:
        """One answer about each image. Raises UserError for a question with control tokens."""
        for (attempt,) in self._sample(images, question, self.sampling, 1):
            yield attempt

    def sample(self, image: ImageSource, question: str, count: int) -> list[Attempt]:
        """So many answers about one image, drawn at temperature 1."""
        drawn = replace(self.sampling, temperature=1.0)
        (attempts,) = self._sample([image], question, drawn, count)
        return attempts

    @property
    def has_adapter(self) -> bool:
        """Whether there is a base without adapter to compare with."""
        return has_adapter(self.policy)

    def base_alone(self) -> AbstractContextManager[object]:
        """Inside, the base answers without its adapter."""
        return without_adapter(self.policy)

    def _sample(
        self, images: Sequence[ImageSource], question: str, sampling: Sampling, count: int
    ) -> Iterator[list[Attempt]]:
        policy, notation = self.policy, self.notation
        check_no_control_tokens(question, policy.processor)
        template = open_template(policy.encode.template, notation.grammar)
        samples = SampleList(tuple(make_sample(image, question) for image in images))
        sampler = Sampler(self.engine, sampling, group_size=count, seed=self.seed)
        encode = policy.encode.with_template(template)
        for groups in answers_to(samples, policy, encode, sampler):
            for group in groups:
                yield [
                    read_attempt(group, completion, notation.grammar, notation.frame)
                    for completion in group.completions
                ]
