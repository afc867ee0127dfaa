"""Training on MNIST from the command line: Adadelta, a rate that falls by epochs, a test after each."""

from __future__ import print_function  # noqa: UP010

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torchvision import datasets, transforms


class Net(nn.Module):
    def __init__(self, drop=(0.25, 0.5)):
        super(Net, self).__init__()  # noqa: UP008
        self.maps = nn.Conv2d(1, 16, 3, 1)
        self.more = nn.Conv2d(16, 24, 3, 1)
        self.drops = nn.ModuleList(nn.Dropout(p) for p in drop)
        self.hidden = nn.Linear(24 * 12 * 12, 64)
        self.classes = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.more(F.relu(self.maps(x)))), 2)
        x = F.relu(self.hidden(torch.flatten(self.drops[0](x), 1)))
        return F.log_softmax(self.classes(self.drops[1](x)), dim=1)


def learn(net, loader, optimizer, device, options, epoch):
    net.train()
    for step, (images, digits) in enumerate(loader):
        images, digits = images.to(device), digits.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(net(images), digits)
        loss.backward()
        optimizer.step()
        if step % options.every == 0:
            share = 100.0 * step / len(loader)
            print(f"epoch {epoch} [{step * len(images)}/{len(loader.dataset)} {share:.0f}%] loss {loss.item():.6f}")  # noqa: UP032
            if options.dry_run:
                return


def check(net, loader, device):
    net.eval()
    loss, right, total = 0, 0, len(loader.dataset)
    with torch.no_grad():
        for images, digits in loader:
            images, digits = images.to(device), digits.to(device)
            scores = net(images)
            loss += F.nll_loss(scores, digits, reduction="sum").item()
            guesses = scores.argmax(dim=1, keepdim=True)
            right += guesses.eq(digits.view_as(guesses)).sum().item()
    print(f"test: loss {loss / total:.4f}, right {right}/{total}\n")
    return loss / total, right


def options_of(argv):
    parser = argparse.ArgumentParser(description="Digits by PyTorch")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--lr", type=float, default=1.0)
    parser.add_argument("--gamma", type=float, default=0.7, help="the rate falls by it with each epoch")
    parser.add_argument("--every", type=int, default=10, help="steps between lines")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-accel", action="store_true")
    parser.add_argument("--dry-run", action="store_true", help="one step of each epoch")
    parser.add_argument("--save-model", action="store_true")
    return parser.parse_args(argv)


def main(argv=None):
    options = options_of(argv)
    torch.manual_seed(options.seed)
    accelerated = torch.accelerator.is_available() and not options.no_accel
    device = torch.accelerator.current_accelerator() if accelerated else torch.device("cpu")
    learning, checking = {"batch_size": options.batch_size, "shuffle": True}, {"batch_size": 1000}
    if accelerated:
        for arguments in (learning, checking):
            arguments.update({"num_workers": 1, "pin_memory": True, "persistent_workers": True})
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    train_set = datasets.MNIST("../data", train=True, download=True, transform=transform)
    test_set = datasets.MNIST("../data", train=False, transform=transform)
    train_loader = torch.utils.data.DataLoader(train_set, **learning)
    test_loader = torch.utils.data.DataLoader(test_set, **checking)

    net = Net().to(device)
    optimizer = optim.Adadelta(net.parameters(), lr=options.lr)
    scheduler = StepLR(optimizer, step_size=1, gamma=options.gamma)
    for epoch in range(1, options.epochs + 1):
        learn(net, train_loader, optimizer, device, options, epoch)
        check(net, test_loader, device)
        scheduler.step()
    if options.save_model:
        torch.save(net.state_dict(), "digits.pt")


if __name__ == "__main__":
    main()
