"""Calls of many threads, computed together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..measurements import Measurements, Reconstructor, joined

_ASK_SECONDS = 0.1  # between two questions whether a waiting caller gives up


def _never() -> bool:
    return False


@dataclass(eq=False)
class Call:
    """One caller's measurements, and what becomes of them."""

    measurements: Measurements
    image: Tensor | None = None
    """(batch, y, x) complex64, once it is there."""
    error: BaseException | None = None
    """What went wrong instead."""
    kind: tuple[object, ...] = field(init=False)
    """What calls that are computed together have in common."""

    def __post_init__(self) -> None:
        m = self.measurements
        self.kind = (m.kspace.shape[1:], m.mask.shape[1:], m.kspace.device, m.noise)


class Batcher:
    """Computes calls of one kind (sizes, coils, noise level) together, one batch at a time.

    No thread of its own: of the callers who wait for an image, one computes a batch for all. Batches are made in the
    order of the calls.

    Parameters
    ----------
    reconstruct
        Computes a batch.
    most
        Slices in a batch; a single call with more is a batch by itself.
    wait_seconds
        For which a batch that is not full waits for more calls.
    """

    def __init__(self, reconstruct: Reconstructor, *, most: int, wait_seconds: float) -> None:
        self.most = most
        self._reconstruct = reconstruct
        self._wait_seconds = wait_seconds
        self._waiting: list[Call] = []
        self._changed = threading.Condition()
        self._busy = False

    def submit(self, measurements: Measurements) -> Call:
        """Line up measurements; somebody has to ask for the ``result``, or to ``cancel``."""
        call = Call(measurements)
        with self._changed:
            self._waiting.append(call)
            self._changed.notify_all()
        return call

    def cancel(self, call: Call) -> None:
        """Take a call out, if it is not being computed yet."""
        with self._changed:
            if call in self._waiting:
                self._waiting.remove(call)

    def result(self, call: Call, cancelled: Callable[[], bool] = _never) -> Tensor:
        """Wait for a call's image: (batch, y, x) complex64.

        Parameters
        ----------
        call
            Of ``submit``.
        cancelled
            Asked ten times a second while others compute; True gives up.

        Raises
        ------
        CancelledError
            ``cancelled`` said so.
        Exception
            Whatever the reconstruction of these measurements raised, if need be without those of other callers.
        """
        while self._begin(call, cancelled):
            try:
                self._compute(self._gather())
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
        if call.error is not None:
            raise call.error
        assert call.image is not None  # else it would still be waiting
        return call.image

    def _begin(self, call: Call, cancelled: Callable[[], bool]) -> bool:
        """Wait until the call is done (False) or it is on this thread to compute (True)."""
        with self._changed:
            while call.image is None and call.error is None:
                if cancelled():
                    self.cancel(call)
                    raise CancelledError
                if not self._busy:
                    self._busy = True
                    return True
                self._changed.wait(_ASK_SECONDS)
            return False

    def _gather(self) -> list[Call]:
        """Take the oldest call, and those of its kind, once there are enough or time is over."""
        until = time.monotonic() + self._wait_seconds
        with self._changed:
            while True:
                chosen = self._chosen()
                left = until - time.monotonic()
                if sum(len(call.measurements) for call in chosen) >= self.most or left <= 0:
                    break
                self._changed.wait(left)
            self._waiting = [call for call in self._waiting if call not in chosen]
            return chosen

    def _chosen(self) -> list[Call]:
        chosen: list[Call] = []
        room = self.most
        for call in self._waiting:
            if chosen and (call.kind != chosen[0].kind or len(call.measurements) > room):
                continue
            chosen.append(call)
            room -= len(call.measurements)
        return chosen

    def _compute(self, calls: list[Call]) -> None:
        if not calls:  # all were cancelled
            return
        try:
            images = self._reconstruct(joined([call.measurements for call in calls]))
        except BaseException as error:  # noqa: BLE001 each caller raises it, and none may wait for ever
            if len(calls) == 1 or not isinstance(error, Exception):
                for call in calls:
                    call.error = error
            else:  # whose fault it was shows when each is computed alone
                for call in calls:
                    self._compute([call])
            return
        parts = torch.split(images, [len(call.measurements) for call in calls])
        for call, part in zip(calls, parts, strict=True):
            call.image = part
