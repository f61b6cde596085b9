"""A user's own tasks, as a plug-in module: nested batches, and steps in another order."""

from __future__ import annotations

from suite.contracts.input_pipeline import InputPipeline
from suite.contracts.task import Task
from suite.levels.tasks.classify import Classify
from suite.registry import INPUTS, STRUCTURES, TASKS, InputSpec, TaskSpec

PARTS = 4


class Pairs(Task):
    """Two vectors for each example, by name; the targets are a score and its weight. Source: none."""

    examples = "pairs"

    def batch(self, generator):
        import torch

        count = self.case.batch_size
        inputs = {
            "left": torch.randn(count, 3, generator=generator),
            "right": torch.randn(count, 4, generator=generator),
        }
        return inputs, (torch.randn(count, generator=generator), torch.rand(count, generator=generator))

    def loss(self, outputs, targets):
        wanted, weights = targets
        return (weights * (outputs["score"] - wanted) ** 2).mean()


TASKS.add(TaskSpec("pairs", Pairs))


@STRUCTURES.register("two_towers", task="pairs", depth=1)
def two_towers():
    """A linear layer for each side, and the product of both. Source: none."""
    from torch import nn

    class TwoTowers(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 8), nn.Linear(4, 8)

        def forward(self, left, right):
            return {"score": (self.left(left) * self.right(right)).sum(dim=1)}

    return TwoTowers()


class Accumulate(Classify):
    """Gradients of four parts of a batch, then one update. Source: none."""

    def make_step(self, phases):
        def step(images, labels):
            phases.zero_grad()
            for some_images, some_labels in zip(images.chunk(PARTS), labels.chunk(PARTS), strict=True):
                with phases.autocast():
                    loss = phases.compare(phases.forward(some_images), some_labels) / PARTS
                phases.backward(loss)
            phases.update()
            return loss

        return step


TASKS.add(TaskSpec("accumulate", Accumulate, {"parts": PARTS}, like="classify"))


class Adversarial(Task):
    """A generator and a discriminator, each with its optimizer. Source: none."""

    infers = False
    calls_network = False

    def batch(self, generator):
        import torch

        count = self.case.batch_size
        return torch.randn(count, 2, generator=generator), torch.randn(count, 4, generator=generator)

    def make_step(self, phases):
        made, judged = phases.module.generator, phases.module.discriminator
        of_generator = phases.make_optimizer(made.parameters())
        of_discriminator = phases.make_optimizer(judged.parameters())

        def step(noise, real):
            phases.zero_grad(of_discriminator)
            loss = judged(made(noise).detach()).mean() - judged(real).mean()
            phases.backward(loss)
            phases.update(of_discriminator)
            phases.zero_grad(of_generator)
            other = -judged(made(noise)).mean()
            phases.backward(other)
            phases.update(of_generator)
            return loss + other

        return step


TASKS.add(TaskSpec("adversarial", Adversarial))


@STRUCTURES.register("two_players", task="adversarial")
def two_players():
    """A linear layer each. Source: none."""
    from torch import nn

    network = nn.Module()
    network.generator, network.discriminator = nn.Linear(2, 4), nn.Linear(4, 1)
    return network


class Lightning(Task):
    """The network computes its loss from a whole batch. Source: none."""

    infers = False
    calls_network = False

    def batch(self, generator):
        import torch

        return torch.randn(self.case.batch_size, 3, generator=generator), None

    def forward(self, network, inputs):
        return network.training_step(inputs, 0)

    def loss(self, outputs, targets):  # noqa: ARG002 - the network has compared them
        return outputs


TASKS.add(TaskSpec("lightning", Lightning))


@STRUCTURES.register("module", task="lightning")
def module():
    """A linear layer with a method `training_step`. Source: none."""
    from torch import nn

    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def training_step(self, batch, batch_idx):  # noqa: ARG002 - as Lightning calls it
            return (self.layer(batch) ** 2).mean()

    return Module()


class Streamed(Pairs):
    """Pairs that an input yields: the task makes none. Source: none."""

    batch = Task.batch


class Stream(InputPipeline):
    """A new batch of pairs in each step. Source: none."""

    def batches(self, case, placement):
        import torch

        generator = torch.Generator().manual_seed(case.seed)
        task = Pairs(case)
        while True:
            yield placement.put(*task.share(task.batch(generator), placement.part))


TASKS.add(TaskSpec("streamed", Streamed, like="pairs"))
INPUTS.add(InputSpec("stream", Stream, task="streamed"))


def own(step):
    """A maker of a step from a function of phases and a batch."""
    return lambda phases: lambda images, labels: step(phases, images, labels)


def linear(num_classes, image_size):
    """One linear layer. Source: none."""
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size**2, num_classes))


def in_usual_order(phases, images, labels):
    phases.zero_grad()
    loss = phases.compare(phases.forward(images), labels)
    phases.backward(loss)
    phases.update()
    return loss


def around_the_wrapper(phases, images, labels):
    phases.zero_grad()
    loss = phases.compare(phases.module(images), labels)
    phases.backward(loss)
    phases.update()
    return loss


def without_phases(phases, images, labels):
    phases.optimizer.zero_grad()
    loss = phases.network(images).square().mean()
    loss.backward()
    phases.optimizer.step()
    return loss


def without_a_loss(phases, images, labels):
    in_usual_order(phases, images, labels)


for _name, _step in {
    "usual": in_usual_order,
    "bypasses": around_the_wrapper,
    "bare": without_phases,
    "lossless": without_a_loss,
}.items():
    STRUCTURES.register(_name, make_step=own(_step))(linear)
