"""What every perturbation is: plain, frozen data that one line of JSON holds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]


class Specification(BaseModel):
    """Base of every perturbation."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False, protected_namespaces=()
    )

    kind: str
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """Of the random numbers; None is the session's own, and metadata say which that was."""

    @property
    def nothing(self) -> bool:
        """Whether it leaves everything as it is, bit by bit."""
        return False

    def to_text(self) -> str:
        """Return it as one line of JSON, from which ``parse`` makes an equal one."""
        return self.model_dump_json(exclude_none=True)

    @property
    def label(self) -> str:
        """Name of the perturbed copy: kind, what differs from the defaults, and the seed, so that copies are apart."""
        fields = type(self).model_fields
        names = [*(name for name in fields if name not in {"kind", "seed", "covariance"}), "seed"]
        told = {name: getattr(self, name) for name in names}
        told = {name: value for name, value in told.items() if value != fields[name].default}
        return f"{self.kind}({', '.join(f'{name}={_short(value)}' for name, value in told.items())})"


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"[{', '.join(map(_short, value))}]" if isinstance(value, tuple) else str(value)
