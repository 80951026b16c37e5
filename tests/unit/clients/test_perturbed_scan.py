"""Scans that are perturbed at the client."""

from dataclasses import replace

import numpy as np
import pytest

from echotrain.clients.perturbation_text import parse_perturbation
from echotrain.clients.perturbed_scan import control_of, difference, perturbed_scan, told_whole
from echotrain.clients.scan_file import Scan
from echotrain.clients.simulator import ScanProtocol, simulate
from echotrain.engine.chain import Chain
from echotrain.engine.errors import ConfigurationError
from echotrain.engine.gadget import Context
from echotrain.engine.messages import Readouts
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.mrd_layout import AcquisitionFlag
from echotrain.engine.records import CalibratedKSpace
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.add_noise import AddNoise
from echotrain.gadgets.estimate_sensitivities import EstimateSensitivities
from echotrain.gadgets.insert_structure import InsertStructure
from echotrain.gadgets.noise_adjust import NoiseAdjust
from echotrain.gadgets.perturb_worst_case import PerturbWorstCase
from echotrain.gadgets.reconstruct_sense import ReconstructSense
from echotrain.gadgets.remove_oversampling import RemoveOversampling
from echotrain.models.perturbation.specification import Structure

ATTACK = "worst_case:model=cg-sense,epsilon=0.05,iterations=2"
STRUCTURE = "structure:diameter=[40],contrast=0.5"


def scan_of(**fields):
    made = simulate(
        ScanProtocol(**({"matrix": (32, 32), "slices": 2, "coils": 3, "noise_samples": 64, "calibration": 12} | fields))
    )
    return Scan(header=made.header, messages=tuple(made.messages()), source="simulated")


@pytest.fixture(scope="module")
def scan():
    """Return two slices, twofold oversampled and accelerated, with noise and embedded calibration lines."""
    return scan_of()


def blocks_of(scan):
    return [message for message in scan.messages if isinstance(message, Readouts)]


def all_of(scan):
    """Headers and samples of every readout, whatever the blocks."""
    blocks = blocks_of(scan)
    return np.concatenate([b.headers for b in blocks]), [samples for b in blocks for samples in b.samples]


def same(first, second):
    (headers, samples), (others, other_samples) = all_of(first), all_of(second)
    return (
        first.header == second.header
        and np.array_equal(headers, others)
        and all(np.array_equal(a, b) for a, b in zip(samples, other_samples, strict=True))
    )


def kspaces_of(scan, *more, noise=()):
    """K-space with maps, as a chain gathers it."""
    gadgets = (NoiseAdjust(), RemoveOversampling(), Accumulate(), *noise, EstimateSensitivities(), *more)
    chain = Chain([(type(g).__name__, g) for g in gadgets], check=False)
    chain.start(Context(header=parse_header(scan.header.xml)))
    made = [out for message in scan.messages for out in chain.feed(message)] + list(chain.finish())
    return [record for record in made if isinstance(record, CalibratedKSpace)]


def perturbed(scan, *texts, seed=0):
    return perturbed_scan(scan, [parse_perturbation(text) for text in texts], seed=seed)


@pytest.mark.parametrize(
    "text",
    [
        "noise:level=0",
        "spikes:share=0,size=5",
        "dropped:share=0",
        "structure:diameter=[6],contrast=0",
        "worst_case:model=cg-sense,epsilon=0,iterations=3",
        "random_control:epsilon=0",
    ],
)
def test_without_an_amount_the_scan_is_sent_as_it_is(scan, text):
    assert same(perturbed(scan, text), scan)


@pytest.mark.parametrize(
    "text",
    [
        ATTACK,
        f"{ATTACK},universal=true",
        f'{ATTACK},structure={{"diameter":[40],"contrast":0.5}}',
        STRUCTURE,
        "random_control:epsilon=0.1",
        "noise:level=20,unit=snr",
    ],
)
def test_kspace_gathered_from_the_readouts_is_that_which_the_gadget_makes_in_a_chain(scan, text):
    wanted = told_whole(parse_perturbation(text), 3)
    if wanted.kind == "noise":
        inside = kspaces_of(scan, noise=[AddNoise(perturbation=wanted)])
    else:
        gadget = InsertStructure if isinstance(wanted, Structure) else PerturbWorstCase
        inside = kspaces_of(scan, gadget(from_metadata=wanted.to_text()))
    clean = kspaces_of(scan)
    outside = kspaces_of(perturbed_scan(scan, [wanted]))
    assert len(outside) == len(inside) == 2
    for before, a, b in zip(clean, inside, outside, strict=True):
        added = a.kspace.data - before.kspace.data
        assert np.linalg.norm(added) > 0.01 * np.linalg.norm(before.kspace.data)
        lines = a.kspace.sampled[..., None]
        error = np.linalg.norm((b.kspace.data - a.kspace.data) * lines)
        assert error < 1e-4 * np.linalg.norm(added)
        error = np.linalg.norm((b.kspace.calibration - a.kspace.calibration) * a.kspace.calibration_sampled[..., None])
        assert error < 1e-4 * np.linalg.norm(added)


def test_images_of_a_perturbed_scan_are_those_of_the_attack_inside_a_chain(scan):
    """Both reconstructed with the maps of the clean scan, which the attack leaves alone."""
    wanted = told_whole(parse_perturbation(ATTACK), 0)
    inside = kspaces_of(scan, PerturbWorstCase(from_metadata=wanted.to_text()))
    outside = kspaces_of(perturbed_scan(scan, [wanted]))
    gadget = ReconstructSense(device="cpu")
    gadget.start(Context(header=parse_header(scan.header.xml)))

    def image(record):
        (made,) = gadget.receive(record)
        return made.data

    for clean, a, b in zip(kspaces_of(scan), inside, outside, strict=True):
        there, here = image(a), image(replace(b, sensitivities=a.sensitivities))
        change = np.linalg.norm(there - image(clean))
        assert change > 0
        assert np.linalg.norm(here - there) < 1e-3 * change


def test_what_the_scan_is_perturbed_from_stays_as_it_was(scan):
    before = [samples.copy() for samples in all_of(scan)[1]]
    perturbed(scan, "random_control:epsilon=0.1")
    perturbed(scan, "spikes:share=0.5,size=5")
    assert all(np.array_equal(a, b) for a, b in zip(before, all_of(scan)[1], strict=True))


def test_the_seed_decides_and_one_of_its_own_goes_first(scan):
    text = "noise:level=1,unit=scan_noise"
    assert same(perturbed(scan, text, seed=5), perturbed(scan, f"{text},seed=5", seed=9))
    assert not same(perturbed(scan, text, seed=5), perturbed(scan, text, seed=6))


def test_the_text_of_what_was_done_makes_the_same_scan_again(scan):
    for text in (ATTACK, "motion:every=4,distance=3"):
        whole = told_whole(parse_perturbation(text), 4)
        assert same(perturbed(scan, whole.to_text()), perturbed(scan, text, seed=4))


def test_noise_is_that_of_the_scan_as_measured_and_noise_readouts_stay(scan):
    noisy = perturbed(scan, "noise:level=1,unit=scan_noise")
    (headers, before), (_, after) = all_of(scan), all_of(noisy)
    measured = headers["flags"] & np.uint64(AcquisitionFlag.IS_NOISE_MEASUREMENT.bit) != 0
    assert 0 < measured.sum() < len(headers)
    for is_noise, a, b in zip(measured, before, after, strict=True):
        assert np.array_equal(a, b) == is_noise
    own = np.concatenate([a.ravel() for a, n in zip(before, measured, strict=True) if n]).std()
    added = np.concatenate([(b - a).ravel() for a, b, n in zip(before, after, measured, strict=True) if not n]).std()
    assert added == pytest.approx(own / np.sqrt(0.793), rel=0.1)  # of the receiver's whole band, as the header says


def test_perturbations_are_done_one_after_another(scan):
    both = perturbed(scan, "dropped:share=0.2", "spikes:share=0.5,size=5")
    assert both.readouts < len(all_of(scan)[0])
    assert same(both, perturbed(perturbed(scan, "dropped:share=0.2"), "spikes:share=0.5,size=5"))


def test_averages_get_what_their_mean_is_to_get():
    averaged = scan_of(noise_readouts=0, oversampling=1, acceleration=1, slices=1, averages=2)
    made = perturbed(averaged, "random_control:epsilon=0.1")
    (clean,), (noisy,) = kspaces_of(averaged), kspaces_of(made)
    added = noisy.kspace.data - clean.kspace.data
    assert np.linalg.norm(added) == pytest.approx(0.1 * np.linalg.norm(clean.kspace.data), rel=1e-3)


def test_reversed_readouts_are_perturbed_in_their_own_order(scan):
    def turned(scan):
        blocks = []
        for block in blocks_of(scan):
            headers = block.headers.copy()
            imaging = headers["flags"] & np.uint64(AcquisitionFlag.IS_NOISE_MEASUREMENT.bit) == 0
            headers["flags"][imaging] |= np.uint64(AcquisitionFlag.IS_REVERSE.bit)
            samples = np.where(imaging[:, None, None], block.samples[..., ::-1], block.samples)
            blocks.append(replace(block, headers=headers, samples=samples))
        return replace(scan, messages=tuple(blocks))

    text = "random_control:epsilon=0.1"
    assert same(turned(perturbed(scan, text)), perturbed(turned(scan), text))


@pytest.mark.parametrize("text", [ATTACK, STRUCTURE, "spikes:share=0.3,size=3", "motion:every=4,distance=3"])
def test_a_control_has_the_norm_of_the_perturbation(scan, text):
    wanted = told_whole(parse_perturbation(text), 0)
    made = perturbed_scan(scan, [wanted])
    control = perturbed_scan(scan, [control_of(wanted, scan, made)])
    assert not same(control, made)
    # coils are whitened where the norm of k-space counts: alike as sent but for what noise they have
    assert difference(scan, control).relative == pytest.approx(difference(scan, made).relative, rel=0.15)


def test_readouts_that_are_dropped_have_no_norm(scan):
    dropped = parse_perturbation("dropped:share=0.5")
    made = perturbed_scan(scan, [dropped])
    assert difference(scan, made) is None
    with pytest.raises(ConfigurationError, match="dropped changes which readouts there are"):
        control_of(dropped, scan, made)


def test_the_difference_of_scans_is_that_of_their_samples(scan):
    doubled = replace(scan, messages=tuple(replace(b, samples=2 * b.samples) for b in blocks_of(scan)))
    found = difference(scan, doubled)
    assert found.relative == pytest.approx(1)
    imaging = [s for h, s in zip(*all_of(scan), strict=True) if not h["flags"] & np.uint64(1 << 18)]
    assert found.samples == sum(s.size for s in imaging)
    assert found.norm == pytest.approx(np.sqrt(sum(np.linalg.norm(s) ** 2 for s in imaging)))
    assert difference(scan, scan).relative == 0


@pytest.mark.parametrize(
    ("fields", "text", "told"),
    [
        ({"trajectory": "radial", "acceleration": 1}, "random_control:epsilon=0.1", "radial"),
        ({"asymmetric_echo": 0.75}, "random_control:epsilon=0.1", "oversampled and does not fill the grid"),
        ({"noise_readouts": 0}, "noise:level=1,unit=scan_noise", "the noise of the scan is not known"),
        ({}, "worst_case:model=nobody,epsilon=0.1,iterations=1", "nobody"),
        ({}, "worst_case:model=cg-sense,model_hash=0123,epsilon=0.1,iterations=1", "of hash 0123"),
    ],
)
def test_what_does_not_fit_the_scan_is_refused_with_its_name(fields, text, told):
    with pytest.raises(ConfigurationError, match="simulated cannot be perturbed") as refused:
        perturbed(scan_of(**fields), text)
    assert told in str(refused.value)


def test_asymmetric_echoes_without_oversampling_are_perturbed_where_they_have_samples():
    echoes = scan_of(asymmetric_echo=0.75, oversampling=1)
    made = perturbed(echoes, "random_control:epsilon=0.1")
    assert difference(echoes, made).relative == pytest.approx(0.1, rel=0.15)


def test_images_that_come_twice_under_the_same_counters_are_refused(scan):
    twice = replace(scan, messages=(*scan.messages, *scan.messages))
    with pytest.raises(ConfigurationError, match="comes twice"):
        perturbed(twice, "random_control:epsilon=0.1")
