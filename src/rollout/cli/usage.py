"""Word what is wrong with a command line: where, what, and what to write instead."""

from collections.abc import Iterable

import click

from rollout.errors import Problem, WrongUsage, choices, nearest


class OneOf(click.Choice[str]):
    """One of a few words, in any case; another word is refused with its nearest match."""

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__(list(words), case_sensitive=False)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word as it is listed."""
        for word in self.choices:
            if word == value.lower():
                return word
        label = _label(param) if param else "a value"
        what = f"{label} must be {choices(self.choices)} (got {value!r})"
        raise _wrong(ctx, what, nearest(value, self.choices))


def worded(error: click.ClickException) -> WrongUsage:
    """Turn what the command-line library found into an error of ours."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    match error:
        case click.NoSuchOption():
            return _option(error)
        case click.exceptions.NoSuchCommand():
            verbs = _verbs(context)
            return _wrong(context, f"no verb {error.command_name!r}", nearest(error.command_name, verbs))
        case click.MissingParameter(param=click.Parameter() as param):
            words = param.type.choices if isinstance(param.type, click.Choice) else ()
            offered = f": {choices(words)}" if words else ""
            return _wrong(context, f"{_label(param)} is missing{offered}", None)
        case _:
            message = error.format_message().rstrip(".")
            return _wrong(context, message[:1].lower() + message[1:], None)


def misused(verb: str, what: str, remedy: str) -> WrongUsage:
    """Return what a verb itself finds wrong with its command line."""
    return WrongUsage(Problem(f"rollout {verb}", what, remedy))


def _wrong(
    context: click.Context | None, what: str, guess: str | None, remedy: str | None = None
) -> WrongUsage:
    path = context.command_path if context else "rollout"
    if guess is not None:
        remedy = f"did you mean '{guess}'?"
    return WrongUsage(Problem(path, what, remedy or f"see `{path} --help`"))


def _option(error: click.NoSuchOption) -> WrongUsage:
    """Suggest the nearest option, or the level where this one belongs: before the verb, or after it."""
    context, option = error.ctx, error.option_name
    guess = error.possibilities[0] if error.possibilities else None
    remedy = None
    if context and context.parent and _has(context.parent.command, option):
        remedy = f"write it before the verb: {context.parent.command_path} {option} … {context.info_name}"
    elif context and isinstance(context.command, click.Group):
        commands = [context.command.get_command(context, name) for name in _verbs(context)]
        if any(_has(command, option) for command in commands if command is not None):
            remedy = f"write it after the verb: {context.command_path} VERB {option} …"
    return _wrong(context, f"no option '{option}'", None if remedy else guess, remedy)


def _verbs(context: click.Context | None) -> list[str]:
    if context is None or not isinstance(context.command, click.Group):
        return []
    return context.command.list_commands(context)


def _has(command: click.Command, option: str) -> bool:
    return any(option in parameter.opts for parameter in command.params)


def _label(parameter: click.Parameter) -> str:
    """Name a parameter as its help does."""
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return (parameter.name or "argument").upper()
