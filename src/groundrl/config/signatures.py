"""Compares the arguments in a config with the signature of what is called."""

import inspect
from collections.abc import Mapping
from inspect import Parameter

from groundrl.config.literals import expected, fits, placeholder
from groundrl.config.problems import did_you_mean, join
from groundrl.config.tree import Target, Unknown


def check_signature(target: Target) -> list[str]:
    """Unknown keys, missing arguments and values of the wrong type; ``???`` counts as given."""
    parameters = _parameters(target)
    if parameters is None:
        return []
    given = supplied_arguments(target) | _filled(target, parameters)
    problems = _unknown(target, parameters)
    for name, parameter in parameters.items():
        path = join(target.path, name)
        if name in target.arguments:
            problems += _check_value(path, target.arguments[name], parameter)
        elif name not in given and _is_required(parameter):
            value = placeholder(name, parameter.annotation)
            problems.append(f"{path} is needed by {_label(target)}: type +{path}={value}")
    return problems


def supplied_arguments(target: Target) -> frozenset[str]:
    """Arguments that the code adds when it builds the target; its class declares them."""
    return getattr(target.call, "supplied_arguments", frozenset())


def argument_types(target: Target) -> dict[str, object]:
    """The annotation of each argument, by the option's name (``reward.terms.iou.weight``)."""
    parameters = _parameters(target) or {}
    return {join(target.path, name): p.annotation for name, p in parameters.items()}


def _parameters(target: Target) -> Mapping[str, Parameter] | None:
    """None for a function that is written in C and has no signature."""
    try:
        return inspect.signature(target.call, eval_str=True).parameters
    except NameError:  # an annotation that only type checkers can resolve
        return inspect.signature(target.call).parameters
    except ValueError:
        return None


def _label(target: Target) -> str:
    return target.name.rpartition(".")[2]


def _unknown(target: Target, parameters: Mapping[str, Parameter]) -> list[str]:
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return []
    known = [name for name, p in parameters.items() if p.kind is not Parameter.VAR_POSITIONAL]
    return [
        f"{join(target.path, key)}: {_label(target)} has no argument '{key}'"
        f"{did_you_mean(key, known)} (arguments: {', '.join(known) or 'none'})"
        for key in target.arguments
        if key not in known
    ]


def _is_required(parameter: Parameter) -> bool:
    catches_all = parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return parameter.default is Parameter.empty and not catches_all


def _filled(target: Target, parameters: Mapping[str, Parameter]) -> set[str]:
    """Arguments that ``_args_`` gives, or that the caller of a partial adds."""
    if target.options.get("_partial_") is True:
        return set(parameters)
    positional = [
        name
        for name, p in parameters.items()
        if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    ]
    arguments = target.options.get("_args_")
    return set(positional[: len(arguments)]) if isinstance(arguments, list) else set()


def _check_value(path: str, value: object, parameter: Parameter) -> list[str]:
    annotation = parameter.annotation
    if isinstance(value, Unknown) or isinstance(annotation, str) or annotation is Parameter.empty:
        return []
    if fits(value, annotation):
        return []
    shown = "null" if value is None else repr(value)
    hint = placeholder(parameter.name, annotation)
    return [f"{path} is {shown}, expected {expected(annotation)}: type {path}={hint}"]
