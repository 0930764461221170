"""Adapters on disk, for engines that load the policy's weights into a model of their own."""

import shutil
import tempfile
import warnings
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from peft import PeftModel

from groundrl.config_node import ConfigNode
from groundrl.errors import UserError
from groundrl.policy.adapters.soft_prompt import has_soft_prompt
from groundrl.policy.fingerprint import fingerprint
from groundrl.policy.policy import Policy

KEPT_VERSIONS = 2
"""Versions on disk; a request with the previous one may still be running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterVersion:
    """An adapter that an engine can load."""

    number: int
    """From 1 on, in this process."""
    name: str
    """``adapter-<run>-<fingerprint of the weights>``: the same in all processes of a run, and in no
    other run that shares a server."""
    folder: Path
    superseded: frozenset[str]
    """Names of older versions of the run, which are no longer on disk."""


class AdapterPublisher:
    """Writes the policy's adapter whenever it has changed; it is never merged into the base.

    Of several processes each writes its own files, under the names of all of them; whichever
    reaches a server first loads a version there. The files are removed when the publisher is.
    """

    def __init__(self, folder: Path | None = None, run: str | None = None) -> None:
        """``folder``: where to write; None: the temporary folder of the machine. ``run``: what all
        processes of the run, and no others, call it; None: it has one process."""
        self._root = folder
        self._run = uuid4().hex if run is None else run
        self._names: list[str] = []
        """Of all versions, in their order."""
        self._versions: list[AdapterVersion] = []

    def __call__(self, policy: Policy) -> AdapterVersion | None:
        """The version with the policy's current weights; None for a policy without adapter."""
        if not isinstance(policy.model, PeftModel):
            return None
        check_servable(policy)
        if not self._versions and getattr(policy.vlm, "is_quantized", False):
            warnings.warn(
                "the adapter is trained on 4-bit weights, and vLLM samples from those of full "
                "precision: policy/sampler_gap shows what importance_cap has to correct",
                stacklevel=2,
            )
        current = fingerprint(p for p in policy.model.parameters() if p.requires_grad)
        name = f"adapter-{self._run}-{current:016x}"
        if name not in self._names[-1:]:
            self._names.append(name)
            number = len(self._names)
            version = AdapterVersion(
                number=number,
                name=name,
                folder=self._folder() / str(number),
                superseded=frozenset(self._names) - {*self._names[-KEPT_VERSIONS:]},
            )
            policy.save(version.folder)
            self._versions.append(version)
            for old in self._versions[:-KEPT_VERSIONS]:
                shutil.rmtree(old.folder, ignore_errors=True)
            self._versions = self._versions[-KEPT_VERSIONS:]
        return self._versions[-1]

    def _folder(self) -> Path:
        if self._versions:
            return self._versions[-1].folder.parent
        # Not a temporary directory: its mode would exclude servers of other users.
        folder = (self._root or Path(tempfile.gettempdir())) / f"adapter-{uuid4().hex}"
        folder.mkdir(parents=True)
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder


def check_servable(policy: Policy) -> None:
    """Raise UserError for an adapter that vLLM cannot serve."""
    if has_soft_prompt(policy.model):
        raise UserError("vLLM serves no soft prompts: type rollout=native")


def served_adapter_problems(node: ConfigNode) -> Iterator[str]:
    """What is wrong with the options of an engine that has its own base weights, in full
    precision, and follows the policy by its adapter."""
    kind = node.value("adapter.kind")
    if kind == "none":
        yield (
            "rollout=vllm serves the policy's adapter, and adapter=none has none: type "
            "adapter=lora or rollout=native"
        )
    if node.value("adapter.vision") == "lora":
        yield (
            "rollout=vllm serves adapters of the language model only, and adapter.vision=lora "
            "trains the vision tower too: type rollout=native or adapter.vision=frozen"
        )
    if kind == "soft_prompt":
        yield "vLLM serves no soft prompts: type adapter=lora or rollout=native"
    if kind == "qlora":
        for cap in uncorrected_losses(node):
            yield (
                "adapter=qlora learns on 4-bit weights, rollout=vllm samples from those of full "
                f"precision, and nothing corrects for that: type {cap}=2.0, or rollout=native"
            )


def uncorrected_losses(node: ConfigNode) -> list[str]:
    """Paths of the options ``importance_cap`` that are off, in the stages that will run."""
    pipeline = node.value("pipeline")
    return [
        f"{path}.importance_cap"
        for stage in (pipeline if isinstance(pipeline, list) else [])
        for path, loss in node.named("loss", f"stage.{stage}")
        if isinstance(loss, dict) and not loss.get("importance_cap")
    ]
