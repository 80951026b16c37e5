"""What is done about images with artifact flags: a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ..engine.errors import ConfigurationError
from ..engine.gadget import Context, Gadget
from ..engine.logs import get_logger
from ..engine.messages import Text
from ..engine.records import Reconstruction
from ..models.flags.kinds import KINDS
from ..models.flags.report import RaisedFlag
from ._flag_metadata import flags_of, reasons_of
from ._image_keys import described
from ._remarks import remarked

Action = Literal["annotate", "fall_back", "withhold"]
_ACTIONS: tuple[Action, ...] = ("annotate", "fall_back", "withhold")
"""Rising."""
_LEVELS = ("notice", "warning", "severe")
_DECISION = "EchotrainDecision"
_Group = tuple[str, str]


@dataclass(kw_only=True)
class Decide(Gadget[Reconstruction, Reconstruction | Text]):
    """Send flagged images on, send the conventional image alone, or send none, and say which and why.

    Of several flags the strongest action counts. An image that is sent carries the decision, ``EchotrainDecision``; the
    scanner's console gets a line for each slice that has a flag above a notice or an image that is not sent; log and
    metrics (``echotrain_decisions_total``) have it, too. Images without flags pass.
    """

    policy: dict[str, dict[str, Action]] = field(default_factory=dict)
    """What to do by flag and severity: ``{ motion = { warning = "fall_back", severe = "withhold" } }``. ``annotate``
    (what is not named) sends the image with its flags; ``fall_back`` only the conventional one of that slice;
    ``withhold`` none. A severity without an action has that of the next lower one; ``any`` stands for all flags that
    are not named."""
    conventional: str = "sense"
    """Method of the image that ``fall_back`` sends."""

    _context: Context = field(init=False)
    _told: set[_Group] = field(init=False, default_factory=set)
    _owed: dict[_Group, str] = field(init=False, default_factory=dict)
    """Slices that fell back, whose conventional image has not come, in words."""
    _sent: set[_Group] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        """Refuse flags and severities that there are none of when the chain is built."""
        for flag, actions in self.policy.items():
            if flag not in {*KINDS, "any"}:
                raise ConfigurationError(
                    f"decide: got a policy for {flag!r}. Known flags: {', '.join((*KINDS, 'any'))}"
                )
            for severity in actions:
                if severity not in _LEVELS:
                    raise ConfigurationError(
                        f"decide: got a policy for {flag} of severity {severity!r}, expected {', '.join(_LEVELS)}"
                    )

    def start(self, context: Context) -> None:
        """Note where decisions are counted."""
        self._context = context

    def receive(self, message: Reconstruction) -> Iterator[Reconstruction | Text]:
        """Decide about one image."""
        raised = flags_of(message.meta)
        if not raised:
            yield message
            return
        action, flag = max(
            ((self._action(flag), flag) for flag in raised),
            key=lambda pair: (_ACTIONS.index(pair[0]), _LEVELS.index(pair[1].severity), pair[1].probability),
        )
        group = (message.variant, repr(message.key))
        yield from self._tell(group, message, action, flag)
        self._context.decided(action, flag.kind)
        if action == "annotate":
            yield _decided(message, "annotated")
        elif action == "fall_back" and message.method == self.conventional and message.quantity == "magnitude":
            self._sent.add(group)
            self._owed.pop(group, None)
            yield _decided(message, f"sent alone, in place of {message.meta.get('EchotrainFlagsOf', 'others')}: {flag}")
        elif action == "fall_back" and group not in self._sent:
            self._owed[group] = described(message.key)

    def finish(self) -> Iterator[Reconstruction | Text]:
        """Say of which slices no image was there to fall back to."""
        for slice_name in self._owed.values():
            yield Text(
                f"ERR decide: {slice_name} fell back to {self.conventional}, of which no image came: nothing was sent"
            )

    def _action(self, flag: RaisedFlag) -> Action:
        actions: Mapping[str, Action] = self.policy.get(flag.kind, self.policy.get("any", {}))
        lower = _LEVELS[: _LEVELS.index(flag.severity) + 1]
        return next((actions[level] for level in reversed(lower) if level in actions), "annotate")

    def _tell(self, group: _Group, message: Reconstruction, action: Action, flag: RaisedFlag) -> Iterator[Text]:
        if group in self._told:
            return
        self._told.add(group)
        why = "; ".join(reasons_of(message.meta))
        get_logger().info("decision", image=described(message.key), action=action, flag=str(flag), reasons=why)
        if action != "annotate" or flag.severity != "notice":
            done = {
                "annotate": "sent with its flags",
                "fall_back": f"only {self.conventional} is sent",
                "withhold": "withheld",
            }[action]
            variant = "" if message.variant == "acquired" else f" ({message.variant})"
            yield Text(f"WRN decide: {described(message.key)}{variant}: {done}: {flag}; {why}")


def _decided(image: Reconstruction, decision: str) -> Reconstruction:
    loud = (decision,) if decision != "annotated" else ()
    return replace(
        image,
        meta=remarked({**image.meta, _DECISION: decision}, *loud),
        history=(*image.history, f"decide: {decision}"),
    )
