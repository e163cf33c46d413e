"""PyTorch's own ways to train and to step a network, in a process of its own. Part of `python -m engine.bench`.

PyTorch and TensorFlow in one process may bring two copies of LLVM, which ends it. The process works once for each line
it is given and answers with the seconds. Arguments: "train" or "write", units, layers, symbols and embedding of a GRU;
then lanes, steps and updates, or the number of characters.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from engine.bench.timing import Way


@contextmanager
def process(*arguments: object) -> Iterator[Way | None]:
    """A way that takes as long as PyTorch does, in seconds; None where PyTorch is not installed."""
    if importlib.util.find_spec("torch") is None:
        yield None
        return
    command = [sys.executable, "-m", "engine.bench.torch_ways", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def seconds() -> float:
            requests.write("\n")
            requests.flush()
            return float(answers.readline())

        yield seconds
        requests.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Until standard input ends."""
    what, *numbers = sys.argv[1:] if argv is None else argv
    figures = map(int, numbers)
    work = training(*figures) if what == "train" else writing(*figures)
    for _ in sys.stdin:
        started = time.perf_counter()
        work()
        sys.stdout.write(f"{time.perf_counter() - started}\n")
        sys.stdout.flush()
    return 0


def training(
    units: int, layers: int, symbols: int, size: int, batch: int, steps: int, updates: int
) -> Callable[[], None]:
    """Updates by Adam, with the gradient clipped as ours is."""
    import torch

    embedding, gru = torch.nn.Embedding(symbols, size), torch.nn.GRU(size, units, layers)
    dense = torch.nn.Linear(units, symbols)
    parameters = [*embedding.parameters(), *gru.parameters(), *dense.parameters()]
    optimizer = torch.optim.Adam(parameters)
    ids = torch.randint(symbols, (updates, steps + 1, batch))

    def work() -> None:
        for chunk in ids:
            optimizer.zero_grad()
            hidden, _ = gru(embedding(chunk[:-1]))
            loss = torch.nn.functional.cross_entropy(dense(hidden).reshape(-1, symbols), chunk[1:].reshape(-1))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            loss.item()

    return work


def writing(units: int, layers: int, symbols: int, size: int, count: int) -> Callable[[], None]:
    """Steps of one character, each drawn from what the one before predicts, at temperature 0.8."""
    import torch

    embedding, gru = torch.nn.Embedding(symbols, size), torch.nn.GRU(size, units, layers)
    dense = torch.nn.Linear(units, symbols)

    def work() -> None:
        with torch.inference_mode():
            character, state = torch.zeros(1, 1, dtype=torch.long), torch.zeros(layers, 1, units)
            for _ in range(count):
                hidden, state = gru(embedding(character), state)
                shares = torch.softmax(dense(hidden[0]) / 0.8, dim=1)
                character = torch.multinomial(shares, 1)

    return work


if __name__ == "__main__":
    sys.exit(main())
