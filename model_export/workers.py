"""Several processes of one thread each.

On a busy machine they lose less time than one process of many threads, which wait for one another in every
layer of a network.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import cv2

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_workers(function: Callable[[Job], Result], jobs: Sequence[Job], processes: int) -> Iterator[Result]:
    """Results in the order of the jobs.

    Args:
        function: of a module, not a closure.
        jobs: small values that can be pickled.
        processes: 1 works in this process; otherwise even a single job gets a process of its own, so that
            what an interrupted run has left to do is summed in the same order.
    """
    if processes == 1 or not jobs:
        yield from map(function, jobs)
        return
    # Fresh processes: torch, OpenCV and the OCR hold threads that do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_use_one_thread) as pool:
        yield from pool.map(function, jobs)


def _use_one_thread() -> None:
    cv2.setNumThreads(1)
    try:
        import torch  # noqa: PLC0415 - absent where only the appliance is installed
    except ModuleNotFoundError:
        return
    torch.set_num_threads(1)
