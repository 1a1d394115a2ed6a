import pytest
import torch
from torch import nn

from cocodesign.training import BatchStream, Step, evaluate, train


def test_a_step_follows_the_gradient_of_the_mean_cross_entropy(examples, labels):
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    weight = model[1].weight.detach().clone()
    scores = examples.flatten(1) @ weight.T + model[1].bias.detach()
    residual = scores.softmax(1) - nn.functional.one_hot(labels, 3)
    gradient = residual.T @ examples.flatten(1) / len(labels)
    batches = BatchStream(examples, labels, 20, torch.Generator())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    train(model, optimizer, batches, num_steps=1)
    torch.testing.assert_close(model[1].weight.detach(), weight - 0.5 * gradient)


def test_callbacks_see_every_step_and_any_of_them_can_stop(make_training):
    model, optimizer, batches, schedule = make_training()
    seen: list[int] = []
    losses: list[float] = []

    def stop_at_three(step: Step) -> bool:
        seen.append(step.num_steps)
        return step.num_steps == 3

    def keep_the_loss(step: Step) -> bool:
        losses.append(step.loss.item())
        return False

    num_steps = train(
        model,
        optimizer,
        batches,
        num_steps=10,
        schedule=schedule,
        callbacks=[stop_at_three, keep_the_loss],
    )
    assert num_steps == 3
    assert seen == [1, 2, 3]
    assert len(losses) == 3
    assert schedule.last_epoch == 3


def test_two_calls_continue_one_another(make_training):
    whole, parts = make_training("K-FAC"), make_training("K-FAC")
    for training, lengths in ((whole, [7]), (parts, [0, 3, 4])):
        model, optimizer, batches, schedule = training
        torch.random.default_generator.manual_seed(0)  # dropout's
        for num_steps in lengths:
            train(model, optimizer, batches, num_steps=num_steps, schedule=schedule)
    for a, b in zip(whole[0].parameters(), parts[0].parameters(), strict=True):
        assert torch.equal(a, b)


def test_refuses_a_negative_number_of_steps(make_training):
    model, optimizer, batches, _ = make_training()
    with pytest.raises(ValueError, match="at least 0, got -1"):
        train(model, optimizer, batches, num_steps=-1)


def test_evaluation_uses_running_statistics_and_restores_every_mode(
    make_training, examples, labels
):
    model, *_ = make_training()
    model.train()
    model[1].eval()  # a frozen normalisation must stay frozen
    statistics = model[1].running_mean.clone()
    modes = [module.training for module in model.modules()]
    accuracy = evaluate(model, examples, labels)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(model[1].running_mean, statistics)
    model.eval()
    hits = [
        model(x[None]).argmax().item() == y
        for x, y in zip(examples, labels.tolist(), strict=True)
    ]
    assert accuracy == sum(hits) / 20


def test_passes_add_up_to_the_step_of_the_larger_mini_batch(examples, labels):
    def trained(mini_batch_size: int, num_passes: int) -> torch.Tensor:
        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        with torch.no_grad():
            model[1].weight.fill_(0.1)
            model[1].bias.zero_()
        generator = torch.Generator().manual_seed(3)
        batches = BatchStream(examples, labels, mini_batch_size, generator)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        losses = []
        train(
            model,
            optimizer,
            batches,
            num_steps=2,
            num_passes=num_passes,
            callbacks=[lambda step: bool(losses.append(step.loss.item()))],
        )
        return torch.cat([model[1].weight.detach().flatten(), torch.tensor(losses)])

    torch.testing.assert_close(trained(5, 4), trained(20, 1))


def test_refuses_a_step_of_no_pass(make_training):
    model, optimizer, batches, _ = make_training()
    with pytest.raises(ValueError, match="num_passes must be at least 1, got 0"):
        train(model, optimizer, batches, num_steps=1, num_passes=0)


def test_a_backward_of_ones_own_computes_the_gradient(make_training):
    model, optimizer, batches, _ = make_training()
    shares = []

    def backward(model, _optimizer, batch, share):
        shares.append(share)
        loss = model(batch[0]).square().mean()
        loss.backward()
        return loss.detach()

    train(model, optimizer, batches, num_steps=1, num_passes=2, backward=backward)
    assert shares == [0.5, 0.5]
