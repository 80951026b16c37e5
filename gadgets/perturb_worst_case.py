"""Copies of a scan, perturbed so that a reconstruction changes most."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..engine.errors import Cancelled, ConfigurationError, DataError
from ..engine.gadget import Context, Gadget
from ..engine.logs import get_logger
from ..engine.records import CalibratedKSpace
from ..models.model_store import shared_store
from ..models.perturbation.specification import RandomControl, Structure, WorstCase, parse
from ._device import device_of
from ._iterative import finite_measurements
from ._perturbation import ACQUIRED
from ._perturbed_kspace import perturbed_copy, volume_delta
from ._region import region_weights
from ._structure import structure_in
from ._surrogate import WITHOUT_MODEL, known_surrogate

if TYPE_CHECKING:  # torch starts slowly: only chains that need it pay for it
    from torch import Tensor

    from ..models.measurements import Measurements


@dataclass(kw_only=True)
class PerturbWorstCase(Gadget[CalibratedKSpace, CalibratedKSpace]):
    """Search the small change of the data that changes the image of one reconstruction most; send the changed scan on.

    It shows what noise that happens to lie in the worst direction may do: it is no model of what scanners do. It tells
    most beside the clean copy and a random control of equal norm. The gradients of the attacked reconstruction, the
    surrogate, are used (white box); whether others fall for it, too, they show further down the chain. Maps stay those
    of the clean scan, which the attack takes as fixed; maps of the perturbed scan are to be estimated anew from it.

    Metadata (EchotrainPerturbation) hold what makes the same perturbation again, by ``from_metadata``: the same to the
    bit on the same machine and version of torch; on others rounding differs, and with it after some steps the search.
    """

    heavy: ClassVar[bool] = True

    surrogate: str = "default-supervised"
    """Whose image is to change: a model or prior by name, ``cg-sense`` or ``zero-filled``."""
    epsilon: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Norm of the perturbation relative to that of the sampled data; for ``linf``, largest modulus relative to their
    root mean square. 0 gives a copy that is the clean scan to the bit."""
    iterations: Annotated[int, Field(ge=1, le=1000)] = 20
    """Steps, each as long as two or three reconstructions."""
    norm: Literal["l2", "linf"] = "l2"
    """What epsilon bounds: the energy, or each sample."""
    method: Literal["pgd", "adam"] = "pgd"
    """``pgd``: steps along the normalised gradient; ``adam``: as Han et al. (MICCAI 2024)."""
    region: tuple[int, int, int, int] | None = None
    """Part of the image whose change counts: first row, first column, row and column after the last, in pixels of the
    image. None: all of it."""
    structure: Structure | None = None
    """A structure, e.g. ``{diameter = [6], contrast = 0.3}``, that the image is to show instead of changing most: how
    little of the data makes a lesion. In place of a region; what is around it counts, too."""
    universal: bool = False
    """One pattern for all images of the scan, in place of one for each: they are held until the scan ends. They share
    matrix, coils and sampled lines. Not with a structure."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """Of the start of the search, and of the control; None: the session's."""
    steps: Annotated[int, Field(ge=1, le=100)] = 4
    """Of the sampler (``dds``), where the surrogate is a prior."""
    samples: Annotated[int, Field(ge=1, le=64)] = 2
    """Over which the attack on a prior takes its mean; each has its own noise."""
    keep_clean: bool = False
    """Send the clean scan on, too, before its copies."""
    control: Literal["none", "also", "only"] = "none"
    """Send a copy with a random perturbation of the same norm, too, or instead."""
    only_acquired: bool = False
    """Pass copies that an earlier gadget perturbed, instead of perturbing them, too."""
    from_metadata: str | None = None
    """Instead of the fields from ``surrogate`` to ``samples``: the entry EchotrainPerturbation of an image."""
    device: str = "auto"
    """``auto`` for a GPU if there is one and else the CPU, or ``cpu``, ``cuda``, ``cuda:1`` ..."""

    _wanted: tuple[WorstCase | RandomControl, ...] = field(init=False)
    # Reconstruct: chains read annotations when the program runs, without torch
    _reconstruct: Callable[[Any], Any] | None = field(init=False, default=None)
    _context: Context = field(init=False)
    _held: list[CalibratedKSpace] = field(init=False, default_factory=list)
    """Of universal perturbations: what they are to be searched for."""

    def __post_init__(self) -> None:
        """Refuse a surrogate that is not there, or a region without pixels, when the chain is built."""
        try:
            self._wanted = self._specified()
            for wanted in self._wanted:
                if isinstance(wanted, WorstCase):
                    _check(wanted)
        except ValueError as error:
            raise ConfigurationError(f"perturb_worst_case: {error}") from error

    def start(self, context: Context) -> None:
        """Load the surrogate."""
        from ..models.perturbation.white_box import white_box

        self._context = context
        device_of(self.device)
        for wanted in self._wanted:
            if isinstance(wanted, WorstCase) and not wanted.nothing:
                self._reconstruct = white_box(
                    wanted.model,
                    shared_store(),
                    device=self.device,
                    steps=wanted.steps or 1,
                    samples=wanted.samples or 1,
                    seed=self._seed(wanted),
                )
                get_logger().info("surrogate ready", surrogate=wanted.model, hash=wanted.model_hash)

    def receive(self, message: CalibratedKSpace) -> Iterator[CalibratedKSpace]:
        """Perturb one image or volume."""
        copied = self.only_acquired and message.kspace.variant != ACQUIRED
        if self.keep_clean or copied:
            yield message
        if copied:
            return
        for wanted in self._wanted:
            if isinstance(wanted, WorstCase) and wanted.universal and not wanted.nothing:
                self._held.append(message)
            else:
                yield self._copy(message, wanted.model_copy(update={"seed": self._seed(wanted)}))

    def finish(self) -> Iterator[CalibratedKSpace]:
        """Search the perturbation of all images that were held."""
        if not self._held:
            return
        held, self._held = self._held, []
        (wanted,) = (one for one in self._wanted if isinstance(one, WorstCase))
        wanted = wanted.model_copy(update={"seed": self._seed(wanted)})
        by_variant: dict[str, list[CalibratedKSpace]] = {}
        for message in held:
            by_variant.setdefault(message.kspace.variant, []).append(message)
        for messages in by_variant.values():
            yield from self._universal(messages, wanted)

    def _specified(self) -> tuple[WorstCase | RandomControl, ...]:
        """Return what is to be made of every scan, in order."""
        if self.from_metadata is not None:
            given = parse(self.from_metadata)
            if not isinstance(given, WorstCase | RandomControl):
                raise ValueError(f"from_metadata is of kind {given.kind!r}, expected worst_case or random_control")
            return (given,)
        control = RandomControl(epsilon=self.epsilon, norm=self.norm, seed=self.seed)
        if self.control == "only":
            return (control,)
        name, digest, is_prior = known_surrogate(self.surrogate)
        attack = WorstCase(
            model=name,
            model_hash=digest,
            method=self.method,
            norm=self.norm,
            epsilon=self.epsilon,
            iterations=self.iterations,
            region=self.region,
            structure=self.structure,
            universal=self.universal,
            steps=self.steps if is_prior else None,
            samples=self.samples if is_prior else None,
            seed=self.seed,
        )
        return (attack, control) if self.control == "also" else (attack,)

    def _seed(self, wanted: WorstCase | RandomControl) -> int:
        return self._context.seed if wanted.seed is None else wanted.seed

    def _copy(self, message: CalibratedKSpace, wanted: WorstCase | RandomControl) -> CalibratedKSpace:
        if wanted.nothing:
            return perturbed_copy(message, None, wanted, _step(wanted), {})
        volume = finite_measurements(message, device_of(self.device))
        labels: dict[str, str] = {}
        try:
            if isinstance(wanted, RandomControl):
                delta = self._control(volume, message, wanted)
            else:
                delta, labels = self._attack(volume, message, wanted)
        except (ValueError, MemoryError) as error:
            raise DataError(f"slice {message.kspace.key.slice}: perturb_worst_case: {error}") from error
        return perturbed_copy(message, volume_delta(delta, volume), wanted, _step(wanted), labels)

    def _control(self, volume: Measurements, message: CalibratedKSpace, wanted: RandomControl) -> Tensor:
        import torch

        from ..models.perturbation.worst_case import random_control

        generator = torch.Generator().manual_seed(self._seeds(wanted, message.kspace.key)[1])
        return random_control(volume, wanted.epsilon, generator, wanted.norm)

    def _attack(
        self, volume: Measurements, message: CalibratedKSpace, wanted: WorstCase
    ) -> tuple[Tensor, dict[str, str]]:
        import torch

        from ..models.perturbation.worst_case import worst_case

        region = target = None
        labels: dict[str, str] = {}
        if wanted.region is not None:
            region = torch.from_numpy(region_weights(wanted.region, message))
        if wanted.structure is not None:
            made, labels["EchotrainStructure"] = structure_in(
                message, wanted.structure, seed=self._seed(wanted), device=self.device, gadget="perturb_worst_case"
            )
            target = torch.from_numpy(made.image).to(volume.kspace.device)
            if wanted.model in WITHOUT_MODEL and volume.kspace.ndim == 5:
                target = target[None]  # a volume is one item there, else as many as it has slices
        attack = worst_case(
            self._asked,
            self._items(volume, wanted),
            epsilon=wanted.epsilon,
            iterations=wanted.iterations,
            generator=torch.Generator().manual_seed(self._seeds(wanted, message.kspace.key)[0]),
            norm=wanted.norm,
            method=wanted.method,
            region=region,
            target=target,
            together=1,
        )
        if wanted.structure is not None:
            labels["EchotrainPerturbationReached"] = repr(float(attack.curve[-1].max()))
        return attack.delta, {**labels, "EchotrainPerturbationGain": repr(float(attack.gain.max()))}

    def _universal(self, messages: list[CalibratedKSpace], wanted: WorstCase) -> Iterator[CalibratedKSpace]:
        """Perturb all images by one pattern."""
        import torch

        from ..models.measurements import joined
        from ..models.perturbation.universal import universal

        volumes = [finite_measurements(message, device_of(self.device)) for message in messages]
        try:
            items = [self._items(volume, wanted) for volume in volumes]
            attack = universal(
                self._asked,
                joined(items),
                epsilon=wanted.epsilon,
                iterations=wanted.iterations,
                generator=torch.Generator().manual_seed(self._seeds(wanted, ())[0]),
                norm=wanted.norm,
                method=wanted.method,
                region=None if wanted.region is None else torch.from_numpy(region_weights(wanted.region, messages[0])),
                together=1,
            )
        except (ValueError, MemoryError) as error:
            raise DataError(f"perturb_worst_case, {len(messages)} images with one perturbation: {error}") from error
        sizes = [len(item) for item in items]
        parts = zip(torch.split(attack.delta, sizes), torch.split(attack.gain, sizes), strict=True)
        for message, volume, (delta, gain) in zip(messages, volumes, parts, strict=True):
            labels = {"EchotrainPerturbationGain": repr(float(gain.max()))}
            yield perturbed_copy(message, volume_delta(delta, volume), wanted, _step(wanted), labels)

    def _items(self, volume: Measurements, wanted: WorstCase) -> Measurements:
        """Return what each gets a budget of its own: slices, or a volume where the surrogate takes it whole."""
        from ..models.partitions import as_slices

        return volume if wanted.model in WITHOUT_MODEL else as_slices(volume)

    def _seeds(self, wanted: WorstCase | RandomControl, place: tuple[int, ...]) -> tuple[int, ...]:
        """Return seeds of the search and of the control, which is not to be what the search starts at."""
        from ..models.samplers.diffusion_reconstruction import sample_seeds

        return tuple(sample_seeds(self._seed(wanted), place, 2))

    def _asked(self, measurements: Measurements) -> Tensor:
        """Reconstruct, unless the session is over."""
        if self._context.cancelled():
            raise Cancelled("the session ended while its images were being perturbed")
        assert self._reconstruct is not None  # loaded for every attack
        image: Tensor = self._reconstruct(measurements)
        return image


def _step(wanted: WorstCase | RandomControl) -> str:
    return f"perturb_worst_case: {wanted.label}, seed {wanted.seed}"


def _check(wanted: WorstCase) -> None:
    digest = known_surrogate(wanted.model).digest
    if digest != wanted.model_hash:
        raise ValueError(
            f"the perturbation was made with {wanted.model} of hash {wanted.model_hash or 'none'}, here it is {digest}"
        )
    if wanted.structure is not None and (wanted.region is not None or wanted.universal):
        other = "region" if wanted.region is not None else "universal"
        raise ValueError(f"got both structure and {other}, expected one of them")
    if wanted.region is not None:
        top, left, bottom, right = wanted.region
        if not (0 <= top < bottom and 0 <= left < right):
            raise ValueError(
                f"region is {list(wanted.region)}, expected first row, first column, and row and column after the last"
            )
