"""Runs a function in a process that has imported torch and has run nothing: what an execution that forks needs."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

PRELOADED = ["torch", "torchvision", "suite.measuring.modes"]


def in_fresh_process(function: Callable[..., Any], *arguments: Any, timeout_s: float = 60) -> Any:
    """Call a function of a module in that process; arguments and result are plain values.

    Raises:
        AssertionError: it raised, ended without a word, or took too long; with what it raised.
    """
    with fresh_process(function, *arguments) as (process, answers):
        assert answers.poll(timeout_s), f"{function.__name__} gave no answer in {timeout_s} s"
        try:
            kind, value = answers.recv()
        except EOFError:
            process.join(timeout_s)
            raise AssertionError(f"{function.__name__} ended with {process.exitcode}") from None
        assert kind == "returned", value
        return value


@contextmanager
def fresh_process(function: Callable[..., Any], *arguments: Any) -> Iterator[tuple[BaseProcess, Connection]]:
    """The process while it runs the function, and where its answer comes from; killed at the end if need be."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    answers, theirs = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        yield process, answers
    finally:
        process.join(5)
        process.kill()
        process.join()
        answers.close()


def answer(link: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Call the function with one thread of torch, and send what came of it."""
    import torch

    from suite.registry import load_levels

    load_levels()
    torch.set_num_threads(1)
    try:
        link.send(("returned", function(*arguments)))
    except Exception as error:  # noqa: BLE001 - the test says it
        link.send(("raised", f"{type(error).__name__}: {error}"))
