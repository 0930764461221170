"""A reward model on the base weights of a policy.

The two stay modules of their own, each with its adapter: a reward model rates in a thread of its
own while the policy samples, so that adapters of one module could not be switched in turn.
"""

from torch import nn

from groundrl.feedback.reward_model import RewardModel
from groundrl.policy.policy import Policy


def share_base(model: RewardModel, policy: Policy) -> int:
    """Let ``model`` compute with the frozen weights of ``policy`` instead of its own copy, if they
    are equal. Scores stay what they were; where one of the two moves to a device, so do the shared
    weights.

    Returns the bytes that this saves: 0 where the bases differ, or where the policy trains its own.
    """
    if model.policy.fixed_weights()["base"] != policy.fixed_weights()["base"]:
        return 0
    shared = base_weights(policy)
    places = [
        (module, name, own, weight)
        for path, module in model.policy.vlm.named_modules()
        for name, own in module.named_parameters(recurse=False)
        if (weight := shared.get(_plain(f"{path}.{name}"))) is not None
    ]
    for module, name, _, weight in places:
        setattr(module, name, weight)
    own = {id(weight): weight for _, _, weight, _ in places}  # tied weights count once
    return sum(weight.numel() * weight.element_size() for weight in own.values())


def base_weights(policy: Policy) -> dict[str, nn.Parameter]:
    """Those below the adapter that are not trained, by their names without an adapter."""
    named = policy.vlm.named_parameters(remove_duplicate=False)
    return {_plain(name): x for name, x in named if "lora_" not in name and not x.requires_grad}


def _plain(name: str) -> str:
    return name.replace(".base_layer.", ".")
