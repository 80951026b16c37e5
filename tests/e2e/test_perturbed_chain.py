"""A real brain through the default chain, clean and perturbed side by side, and again from the metadata alone."""

from __future__ import annotations

import numpy as np
import pytest

from echotrain.engine.chain_config import ChainLibrary, ChainSpec
from echotrain.engine.gadget import Context
from echotrain.engine.messages import Image, Readouts
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.registry import Registry

FILE = "brain_t1_7ch.h5"
"""216 x 256, fully sampled, seven coils."""


@pytest.fixture(scope="module")
def brain(data, reference):
    return reference.read_scan(data / "raw" / FILE)


def run(scan, *steps, block=50, seed=7) -> dict[str, Image]:
    """Images by variant; the steps stand after the first gadget of the default chain."""
    default = ChainLibrary().get("default")
    spec = ChainSpec("perturbed", (default.steps[0], *steps, *default.steps[1:]))
    chain, digest = spec.build(Registry())
    chain.start(Context(header=parse_header(scan.xml), chain="perturbed", chain_hash=digest, seed=seed))
    headers, samples = scan.headers.astype(ACQUISITION_DTYPE), np.stack(scan.samples)
    out = [
        m for a in range(0, len(headers), block) for m in chain.feed(Readouts(headers[a:][:block], samples[a:][:block]))
    ]
    images = [message for message in [*out, *chain.finish()] if isinstance(message, Image)]
    return {image.meta["EchotrainVariant"]: image for image in images}


STEPS = {
    "noise(level=0.001, seed=7)": ("add_noise", {"kind": "noise", "level": 0.001}),
    "spikes(share=0.02, size=200, seed=7)": ("corrupt_readouts", {"kind": "spikes", "share": 0.02, "size": 200}),
    "ghost(phase=0.8, seed=7)": ("corrupt_readouts", {"kind": "ghost", "phase": 0.8}),
}


def test_clean_and_perturbed_images_come_side_by_side_and_the_clean_is_untouched(brain):
    steps = [
        (gadget, {"perturbation": perturbation, "keep_clean": True, "only_acquired": True})
        for gadget, perturbation in STEPS.values()
    ]
    found = run(brain, *steps)
    assert set(found) == {"acquired", *STEPS}
    alone = run(brain)["acquired"]
    assert found["acquired"].pixels.tobytes() == alone.pixels.tobytes()
    assert len({image.meta["SeriesDescription"] for image in found.values()}) == 4
    for variant in STEPS:
        assert found[variant].pixels.shape == alone.pixels.shape
        assert np.linalg.norm(found[variant].pixels - alone.pixels) > 0.01 * np.linalg.norm(alone.pixels)


@pytest.mark.parametrize("variant", STEPS)
def test_an_images_metadata_make_the_same_perturbed_image_again(brain, variant):
    gadget, perturbation = STEPS[variant]
    first = run(brain, (gadget, {"perturbation": perturbation}))[variant]
    text = first.meta["EchotrainPerturbation"]
    again = run(brain, (gadget, {"from_metadata": text}), block=33, seed=8)[variant]
    assert again.pixels.tobytes() == first.pixels.tobytes()


def test_a_ghost_lies_half_a_field_of_view_away(brain):
    gadget, perturbation = STEPS["ghost(phase=0.8, seed=7)"]
    clean, ghosted = run(brain, (gadget, {"perturbation": perturbation, "keep_clean": True})).values()
    clean, ghosted = (image.pixels[0, 0] for image in (clean, ghosted))
    away = np.roll(clean, len(clean) // 2, axis=0)
    alone = (away > 0.2 * clean.max()) & (clean < 0.03 * clean.max())  # of magnitudes, where there is nothing else
    assert alone.sum() > 100
    ratio = np.median(ghosted[alone] / away[alone])
    assert ratio == pytest.approx(np.sin(0.4), rel=0.03)
