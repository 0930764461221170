"""The policy that is measured."""

from measuring import ALPHA, RANK
from random_models import build
from work import Work

from groundrl.boxes import Frame
from groundrl.policy.adapters.adapter import Adapter
from groundrl.policy.policy import Policy
from groundrl.prompts import PromptTemplate


def policy_for(work: Work, sharing: bool) -> Policy:
    """A random model with a fresh adapter; no answer ends early."""
    vlm, processor = build(work.family, work.size, work.device, work.dtype)
    policy = Policy(
        model=Adapter(rank=RANK, alpha=ALPHA).apply(vlm),
        processor=processor,
        template=PromptTemplate(),
        frame=Frame.PERMILLE,
        prefix_sharing=sharing,
    )
    policy.encode.end_token = -1
    return policy
