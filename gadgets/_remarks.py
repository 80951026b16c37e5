"""What nobody may overlook who looks at an image: ``make_images`` puts it into the comments that viewers show."""

from __future__ import annotations

from collections.abc import Mapping

from ..engine.messages import MetaValue

_NAME = "EchotrainRemarks"


def remarks_of(meta: Mapping[str, MetaValue]) -> tuple[str, ...]:
    """Return the remarks in an image's metadata."""
    remarks = meta.get(_NAME, ())
    return (remarks,) if isinstance(remarks, str) else remarks


def remarked(meta: Mapping[str, MetaValue], *remarks: str) -> Mapping[str, MetaValue]:
    """Return metadata with more remarks; those that are there already are not repeated."""
    every = tuple(dict.fromkeys((*remarks_of(meta), *remarks)))
    return {**meta, _NAME: every} if every else meta
