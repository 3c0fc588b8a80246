"""The default that comes with the package: a small base model, an instruction set and their recipe.

Everything works without a network. How the three are made is told in ``recipes/embedded/README.md``.
"""

from pathlib import Path

_HERE = Path(__file__).parent


def base() -> Path:
    """Return the folder of the base model: weights, configuration, tokenizer and chat template.

    Example:
        >>> (base() / "config.json").is_file()
        True
    """
    return _HERE / "base"


def messages() -> Path:
    """Return the instruction set: messages in English and Chinese, answered with their facts as JSON.

    Example:
        >>> len(messages().read_text(encoding="utf-8").splitlines())
        4000
    """
    return _HERE / "messages.jsonl"


def recipe() -> Path:
    """Return the recipe that ``tuneloop demo`` runs.

    Example:
        >>> recipe().name
        'recipe.yaml'
    """
    return _HERE / "recipe.yaml"
