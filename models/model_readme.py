"""A model's card as a text for people."""

from __future__ import annotations

from pathlib import Path

from .model_card import Metric, ModelCard

_KINDS = {"prior": "diffusion prior", "supervised": "supervised reconstruction model"}

_SAMPLES = (
    "Images that the prior makes up of noise alone, and below them images that it has never seen, in random views as "
    "in training: magnitudes on one scale, and the phase of the first row of each, from -pi (black) to pi (white). "
    "Statistics of both are below, magnitudes in the unit of the prior, an intensity of about 1."
)


def write_readme(card: ModelCard, folder: Path) -> None:
    """Write README.md of a model's folder, with the pictures that are there."""
    curves, samples = ((folder / name).is_file() for name in ("curves.png", "samples.png"))
    (folder / "README.md").write_text(model_readme(card, curves=curves, samples=samples), encoding="utf-8")


def model_readme(card: ModelCard, *, curves: bool = False, samples: bool = False) -> str:
    """Return README.md of a model's folder; ``curves``, ``samples``: whether such a picture is there to be shown."""
    trained = card.trained
    ranges = ", ".join(
        f"{name} {low:g} to {high:g}" if low < high else f"{name} {low:g}"
        for name, (low, high) in (
            ("acceleration", trained.acceleration),
            ("matrix", trained.matrix),
            ("coils", trained.coils),
            ("SNR", trained.snr),
        )
    )
    options = ", ".join(f"{name} = {value}" for name, value in card.options.items()) or "defaults"
    minutes, processor = card.wall_seconds / 60, card.cpu_seconds / 60
    start = f", from the weights of {card.start} on" if card.start else ""
    made = (
        f"By `echotrain train {card.recipe}`, seed {card.seed}{start}: {card.steps:,} steps in {minutes:.1f} min"
        f" ({processor:.1f} min of processor time) on {card.hardware}, PyTorch {card.torch}, {card.date.isoformat()}."
    )
    lines = [
        f"# {card.label}",
        "",
        f"A {_KINDS[card.kind]}: `{card.architecture}` ({options}), {card.parameters:,} parameters.",
        "Generated from card.toml, which programs read.",
        "",
        "## Trained",
        made,
        "",
        f"For {ranges}; masks: {', '.join(trained.masks)}.",
        "Scans beyond that are reconstructed, and their images say so.",
    ]
    if curves:
        lines += ["", "![Loss and validation over training](curves.png)"]
    lines += ["", "## Data", *(f"- {source.title}. Licence: {source.licence}." for source in card.data)]
    if samples:
        lines += ["", "## Samples", _SAMPLES, "", "![Unconditional samples and held-out images](samples.png)"]
    if card.metrics:
        lines += ["", "## Quality", "| case | metric | value | 95 % interval |", "|---|---|---|---|"]
        lines += [_metric_row(metric) for metric in card.metrics]
    lines += ["", "## Limits", card.limits, "", f"SHA-256 of weights.safetensors: `{card.sha256}`"]
    return "\n".join(lines) + "\n"


def _metric_row(metric: Metric) -> str:
    interval = "" if metric.interval is None else f"{metric.interval[0]:.4g} to {metric.interval[1]:.4g}"
    return f"| {metric.case} | {metric.metric} | {metric.value:.4g} | {interval} |"
