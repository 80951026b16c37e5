"""The options by which commands perturb a scan before they send it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pydantic and numpy are needed by those who perturb, not for --help
    from ...models.perturbation.specification import Perturbation

PERTURB = (
    "Perturb the readouts, e.g. spikes:share=0.01,size=50 or worst_case:model=default-supervised,epsilon=0.01,"
    "iterations=10, or an image's entry EchotrainPerturbation. Several are done one after another."
)
SEED = "Of perturbations that name none of their own."


def perturbations(texts: Sequence[str] | None) -> tuple[Perturbation, ...]:
    """Read what was written behind --perturb, or complain as of that option."""
    if not texts:
        return ()
    import typer

    from ...engine.errors import ConfigurationError
    from ..perturbation_text import parse_perturbation

    try:
        return tuple(parse_perturbation(text) for text in texts)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error), param_hint="--perturb") from None
