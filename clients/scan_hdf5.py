"""MRD HDF5 files: read and written in bulk.

The layout is that of ``ismrmrd.Dataset``: a group with ``xml`` (one text), ``data`` (compound of head, variable-length
trajectory and variable-length samples, one record a readout) and ``waveforms``. Reading the compound dataset in slices
of many readouts is two orders of magnitude faster than one readout at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..engine.errors import ConfigurationError
from ..engine.messages import Header, Message, Readouts, Waveform
from ..engine.mrd_layout import ACQUISITION_DTYPE, ENCODING_COUNTERS_DTYPE, WAVEFORM_DTYPE

_FLOATS = h5py.vlen_dtype(np.dtype("<f4"))
_STORED_ACQUISITION = np.dtype([("head", ACQUISITION_DTYPE), ("traj", _FLOATS), ("data", _FLOATS)])
_STORED_WAVEFORM = np.dtype([("head", WAVEFORM_DTYPE), ("data", h5py.vlen_dtype(np.dtype("<u4")))])
_SLICE_BYTES = 32 * 1024 * 1024  # samples read from the file at once
_STORED_CHUNK = 64  # records in one HDF5 chunk: the samples lie elsewhere, in the file's heap


def read_header(path: Path, group: str) -> tuple[Header, int]:
    """Return the XML header and the number of readouts of one group.

    Raises
    ------
    ConfigurationError
        No such file or group, no HDF5, a truncated file, a group without ``xml`` or ``data``.
    """
    with _opened(path) as file:
        dataset = _group(file, path, group)
        stored = dataset["xml"][()]
        xml = np.ravel(stored)[0] if np.size(stored) else b""
        text = xml.encode() if isinstance(xml, str) else bytes(xml)
        return Header(text), int(np.prod(dataset["data"].shape))


def read_messages(path: Path, group: str, block_readouts: int) -> Iterator[Readouts | Waveform]:
    """Read a group's readouts as blocks of one shape, and its waveforms where their time stamps put them.

    Readouts keep the order of the file. A waveform goes before the first readout with a later time stamp.

    Raises
    ------
    ConfigurationError
        As ``read_header``; or a readout holds another number of values than its head says.
    """
    with _opened(path) as file:
        dataset = _group(file, path, group)
        data = dataset["data"]
        heads = _heads(data.fields("head")[()].reshape(-1))
        waveforms = _waveforms(dataset, path)
        stamps = np.maximum.accumulate(heads["acquisition_time_stamp"])
        places = [int(np.searchsorted(stamps, w.header["time_stamp"], side="right")) for w in waveforms]
        order = np.argsort(places, kind="stable")
        cuts = _cuts(heads, places, block_readouts)
        done = 0  # waveforms already given
        for first, last in pairwise(cuts):
            while done < len(order) and places[order[done]] <= first:
                yield waveforms[order[done]]
                done += 1
            yield _block(data[first:last], heads[first:last], first, path)
        for number in order[done:]:
            yield waveforms[number]


def write_messages(path: Path, header: Header, messages: Iterable[Message], group: str) -> None:
    """Write a scan in the layout of ``ismrmrd.Dataset``; the file appears under its name only once it is whole.

    Raises
    ------
    ConfigurationError
        A message is neither ``Readouts`` nor ``Waveform``, or the file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with h5py.File(part, "w") as file:
            _write(file.create_group(group), header, messages)
        part.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:  # raised on opening and, if the file ends early, on reading
        raise ConfigurationError(f"{path} is truncated or is no readable HDF5 file: {error}") from error


def _group(file: Any, path: Path, group: str) -> Any:
    if group not in file or not isinstance(file[group], h5py.Group):
        known = ", ".join(sorted(name for name, item in file.items() if isinstance(item, h5py.Group))) or "none"
        raise ConfigurationError(f"{path} has no group {group!r}; its groups: {known}")
    for name, holds in (("xml", "the scan's header"), ("data", "the readouts")):
        if name not in file[group]:
            known = ", ".join(sorted(file[group])) or "nothing"
            raise ConfigurationError(
                f"group {group!r} of {path} has no {name!r} ({holds}), so it is no raw data; it holds {known}"
            )
    names = file[group]["data"].dtype.names or ()
    if not {"head", "data"} <= set(names):
        raise ConfigurationError(
            f"'data' in group {group!r} of {path} has the fields {names}, expected head, traj, data"
        )
    return file[group]


def _heads(stored: NDArray[np.void]) -> NDArray[np.void]:
    """Copy by name: writers pad their records differently."""
    heads = np.zeros(len(stored), ACQUISITION_DTYPE)
    for name in ACQUISITION_DTYPE.names or ():
        if name != "idx":
            heads[name] = stored[name]
    for name in ENCODING_COUNTERS_DTYPE.names or ():
        heads["idx"][name] = stored["idx"][name]
    return heads


def _cuts(heads: NDArray[np.void], places: list[int], block_readouts: int) -> list[int]:
    """Return where blocks begin: a new shape, a waveform between, enough readouts, enough bytes."""
    count = len(heads)
    shape = np.stack([heads[n] for n in ("active_channels", "number_of_samples", "trajectory_dimensions")], axis=1)
    changes = (np.flatnonzero((shape[1:] != shape[:-1]).any(axis=1)) + 1).tolist()
    edges = sorted({0, count, *changes, *(p for p in places if p <= count)})
    cuts = [0]
    for first, last in pairwise(edges):
        nbytes = max(1, 8 * int(heads["active_channels"][first]) * int(heads["number_of_samples"][first]))
        step = max(1, min(block_readouts, _SLICE_BYTES // nbytes))
        cuts += [*range(first + step, last, step), last]
    return cuts


def _block(stored: NDArray[np.void], heads: NDArray[np.void], first: int, path: Path) -> Readouts:
    head, count = heads[0], len(heads)
    coils, samples, dims = (int(head[n]) for n in ("active_channels", "number_of_samples", "trajectory_dimensions"))
    values = _joined(stored["data"], 2 * coils * samples, f"{coils} coils x {samples} samples x 2", first, path)
    trajectory = None
    if dims:
        if "traj" not in (stored.dtype.names or ()):
            raise ConfigurationError(f"readout {first} of {path} promises a trajectory, but the file has no field traj")
        flat = _joined(stored["traj"], samples * dims, f"{samples} samples x {dims} trajectory dimensions", first, path)
        trajectory = flat.reshape(count, samples, dims)
    return Readouts(heads, values.view("<c8").reshape(count, coils, samples), trajectory)


def _joined(rows: NDArray[np.object_], expected: int, meaning: str, first: int, path: Path) -> NDArray[np.float32]:
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    wrong = np.flatnonzero(lengths != expected)
    if len(wrong):
        raise ConfigurationError(
            f"readout {first + int(wrong[0])} of {path} holds {int(lengths[wrong[0]])} values, "
            f"expected {expected} ({meaning}) as its head says"
        )
    return np.concatenate(rows).astype("<f4", copy=False)


def _waveforms(dataset: Any, path: Path) -> list[Waveform]:
    if "waveforms" not in dataset:
        return []
    found = []
    for number, stored in enumerate(dataset["waveforms"][()].reshape(-1)):
        header = np.zeros((), WAVEFORM_DTYPE)
        for name in WAVEFORM_DTYPE.names or ():
            header[name] = stored["head"][name]
        channels, samples = int(header["channels"]), int(header["number_of_samples"])
        if len(stored["data"]) != channels * samples:
            raise ConfigurationError(
                f"waveform {number} of {path} holds {len(stored['data'])} values, expected "
                f"{channels * samples} ({channels} channels x {samples} samples) as its head says"
            )
        found.append(Waveform(header, stored["data"].astype("<u4", copy=False).reshape(channels, samples)))
    return found


def _write(dataset: Any, header: Header, messages: Iterable[Message]) -> None:
    xml = dataset.create_dataset("xml", shape=(1,), dtype=h5py.special_dtype(vlen=bytes))
    xml[0] = header.xml.rstrip(b"\0")
    data = dataset.create_dataset("data", (0,), maxshape=(None,), chunks=(_STORED_CHUNK,), dtype=_STORED_ACQUISITION)
    waveforms: list[Waveform] = []
    for message in messages:
        if isinstance(message, Readouts):
            data.resize(len(data) + len(message), axis=0)
            data[len(data) - len(message) :] = _records(message)
        elif isinstance(message, Waveform):
            waveforms.append(message)
        else:
            raise ConfigurationError(
                f"an MRD HDF5 scan holds readouts and waveforms, got {type(message).__name__}; write a stream instead"
            )
    if waveforms:
        stored = np.empty(len(waveforms), _STORED_WAVEFORM)
        stored["head"] = np.stack([w.header for w in waveforms])
        stored["data"] = _rows([np.ascontiguousarray(w.samples, "<u4").reshape(-1) for w in waveforms])
        dataset.create_dataset("waveforms", data=stored, maxshape=(None,), chunks=(_STORED_CHUNK,))


def _records(block: Readouts) -> NDArray[np.void]:
    count = len(block)
    records = np.empty(count, _STORED_ACQUISITION)
    records["head"] = block.headers
    samples = np.ascontiguousarray(block.samples, "<c8").reshape(count, -1).view("<f4")
    records["data"] = _rows(list(samples))
    trajectory = np.zeros((count, 0), "<f4") if block.trajectory is None else block.trajectory
    records["traj"] = _rows(list(np.ascontiguousarray(trajectory, "<f4").reshape(count, -1)))
    return records


def _rows(rows: list[NDArray[Any]]) -> NDArray[np.object_]:
    """Return an object array of arrays; assigning the list itself would broadcast rows of equal length."""
    column = np.empty(len(rows), object)
    for number, row in enumerate(rows):
        column[number] = row
    return column
