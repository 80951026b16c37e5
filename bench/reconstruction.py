"""Figures 4 and 5: a whole scan, and the last readout's way to the image, beside the bare numerics."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from figures import Figure, Pairs, alternated, milliseconds
from mrd_sender import CLOSE, run_sender
from numpy.typing import NDArray
from scans import COILS, LINES, SAMPLES, BenchScan, bench_scan, samples_of
from served import Served

from echotrain.engine.mrd_codec import encode_bytes
from echotrain.models.coil_combination import root_sum_of_squares
from echotrain.models.fourier import centred_ifft
from echotrain.models.noise import noise_scale, outer_sum, whitened, whitening_matrix
from echotrain.models.oversampling import remove_oversampling

REPETITIONS = 8
REACH_SCAN = 1.3
REACH_LATENCY = 1.5
TR_SECONDS = 0.003


def whitening(scan: BenchScan) -> NDArray[np.complex64]:
    """Whitening matrix of the scan's noise, (coils, coils) complex64."""
    covariance = outer_sum(scan.noise.samples).sum(axis=0) / (len(scan.noise) * scan.noise.samples.shape[2] - 1)
    bandwidth = scan.parsed.relative_receiver_noise_bandwidth
    scale = noise_scale(
        dwell_us=float(scan.lines.headers["sample_time_us"][0]),
        noise_dwell_us=float(scan.noise.headers["sample_time_us"][0]),
        relative_bandwidth=1.0 if bandwidth is None else bandwidth,
    )
    return (whitening_matrix(covariance) * scale).astype(np.complex64)


def image_of(lines: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Transform and combine one slice: (256 lines, 8 coils, 256 columns) complex64 to (1, 256, 256) float32."""
    return root_sum_of_squares(centred_ifft(lines.swapaxes(0, 1)[:, np.newaxis], (2, 3)))


def direct(scan: BenchScan) -> NDArray[np.float32]:
    """The numerics of ``default`` on arrays in memory, repetition by repetition: (repetitions, 1, 256, 256) float32."""
    matrix = whitening(scan)
    images = [
        image_of(remove_oversampling(whitened(lines, matrix), grid=SAMPLES, start=0, columns=LINES))
        for lines in samples_of(scan)
    ]
    return np.stack(images)


def scan(*, quick: bool) -> Figure:
    """Figure 4: 8 repetitions through ``default`` over MRD/TCP."""
    source = bench_scan(REPETITIONS)
    with tempfile.TemporaryDirectory(prefix="echotrain-bench-") as name, Served() as engine:
        folder = Path(name)
        (folder / "start").write_bytes(source.start("default"))
        (folder / "data").write_bytes(encode_bytes(source.noise) + encode_bytes(source.lines))

        def ours() -> float:
            sent = run_sender(engine.mrd[1], folder / "start", folder / "data", 1)
            if sent.count < REPETITIONS * 4 * LINES**2:
                raise RuntimeError(f"{sent.count} bytes came back for {REPETITIONS} images:\n{engine.log}")
            return sent.seconds

        def limit() -> float:
            began = time.perf_counter()
            direct(source)
            return time.perf_counter() - began

        pairs = alternated(ours, limit, 5 if quick else 15)
    return Figure(
        number="4",
        what=f"`default`, {LINES} x {LINES}, {COILS} coils, 2x oversampled, {REPETITIONS} repetitions over MRD/TCP",
        measured=milliseconds(pairs.ours),
        limit=f"same numerics on arrays {milliseconds(pairs.limits)}",
        ratio=pairs.spread,
        reach=f"<= {REACH_SCAN:.1f}",
        met=pairs.ratio <= REACH_SCAN,
    )


def latency(*, quick: bool) -> Figure:
    """Figure 5: the same scan at a repetition time of 3 ms, from its last readouts to its images.

    Stamps are taken in the engine's process: when the socket has given the last byte of a slice's last readout, and
    when the system has taken the image. The bare transform and combination of the same slices run in a process of
    their own, on arrays that were filled at the same pace.
    """
    repetitions = 3 if quick else REPETITIONS
    source = bench_scan(repetitions)
    script = str(Path(__file__).with_name("stamped_engine.py"))
    pairs = Pairs([], [])
    for _ in range(1 if quick else 3):
        engine = Served(command=(sys.executable, script))
        try:
            _paced(engine.mrd[1], source)
        finally:
            said = engine.close()
        seconds = json.loads(said)
        if len(seconds) != repetitions:
            raise RuntimeError(f"{len(seconds)} images came, expected {repetitions}:\n{engine.log}")
        command = [sys.executable, __file__, str(repetitions)]
        bare = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        pairs.ours.append(statistics.median(seconds[1:]))  # the first one pays for what is loaded then
        pairs.limits.append(statistics.median(bare[1:]))
    return Figure(
        number="5",
        what=f"last readout received to image sent, same scan, paced (TR {1e3 * TR_SECONDS:g} ms)",
        measured=milliseconds(pairs.ours),
        limit=f"bare FFT and combination {milliseconds(pairs.limits)}",
        ratio=pairs.spread,
        reach=f"<= {REACH_LATENCY:.1f}",
        met=pairs.ratio <= REACH_LATENCY,
    )


def _paced(port: int, source: BenchScan) -> None:
    """Send the scan at its repetition time and read what comes back."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = threading.Thread(target=_drain, args=(connection,))
        reader.start()
        connection.sendall(source.start("default") + encode_bytes(source.noise))
        stream = memoryview(encode_bytes(source.lines))
        size = len(stream) // len(source.lines)
        began = time.perf_counter()
        for number in range(len(source.lines)):
            time.sleep(max(0.0, began + number * TR_SECONDS - time.perf_counter()))
            connection.sendall(stream[number * size : (number + 1) * size])
        time.sleep(LINES * TR_SECONDS)  # the last image is treated like the others
        connection.sendall(CLOSE)
        reader.join()


def _drain(connection: socket.socket) -> None:
    while connection.recv(2**20):
        pass


def bare(repetitions: int) -> list[float]:
    """Seconds of transform and combination of each slice, on an array that was filled at the scan's pace.

    Lines are prepared and placed as they come, outside the clock, so that the processor's caches and clock are in the
    state in which a paced scan finds them.
    """
    source = bench_scan(repetitions)
    matrix = whitening(source)
    seconds = []
    for lines in samples_of(source):
        slice_ = np.zeros((LINES, COILS, LINES), np.complex64)
        for number in range(LINES):
            time.sleep(TR_SECONDS)
            white = whitened(lines[number : number + 1], matrix)
            slice_[number] = remove_oversampling(white, grid=SAMPLES, start=0, columns=LINES)[0]
        began = time.perf_counter()
        image_of(slice_)
        seconds.append(time.perf_counter() - began)
    return seconds


if __name__ == "__main__":
    print(json.dumps(bare(int(sys.argv[1]))))
