"""Training on CIFAR-10 from the command line: augmented, scheduled, measured, saved when it is best, and resumed."""

import argparse
import os
import time

import torch
import torch.backends.cudnn as cudnn
import torch.nn as nn
import torch.optim as optim
import torch.utils.data
import torchvision
import torchvision.transforms as transforms
from torch.autograd import Variable


class Net(nn.Module):
    def __init__(self, w=8):
        super().__init__()
        self.maps = nn.Sequential(
            *[nn.Conv2d(3, w, 3, padding=1, bias=False), nn.BatchNorm2d(w), nn.ReLU(inplace=True), nn.MaxPool2d(2)],
            *[nn.Conv2d(w, 2 * w, 3, padding=1, bias=False), nn.BatchNorm2d(2 * w), nn.ReLU(inplace=True)],
            nn.AdaptiveAvgPool2d(4),
        )
        self.out = nn.Linear(32 * w, 10)

    def forward(self, images):
        maps = self.maps(images)
        return self.out(maps.view(maps.size(0), -1))


class Mean(object):  # noqa: UP004
    """Of what was added so far, and the latest of it."""

    def __init__(self):
        self.last = self.total = self.weight = 0

    def add(self, value, weight):
        self.last = value
        self.total += value * weight
        self.weight += weight

    @property
    def value(self):
        return self.total / self.weight


def within(scores, classes, ks):
    """Per cent of samples whose class is among the k likeliest, for each k."""
    _, likeliest = scores.topk(max(ks), 1, True, True)
    hits = likeliest.t().eq(classes.view(1, -1).expand_as(likeliest.t()))
    return [hits[:k].reshape(-1).float().sum(0).mul_(100.0 / classes.size(0)) for k in ks]


def learn(net, loader, criterion, optimizer, device, options):
    net.train()
    means = {"loss": Mean(), "top1": Mean(), "top5": Mean()}
    started = time.time()
    for step, (images, classes) in enumerate(loader):
        images, classes = images.to(device, non_blocking=True), classes.to(device, non_blocking=True)
        scores = net(Variable(images))
        loss = criterion(scores, classes)
        optimizer.zero_grad()
        loss.backward()
        if options.clip:
            nn.utils.clip_grad_norm_(net.parameters(), options.clip)
        optimizer.step()
        top1, top5 = within(scores.data, classes, (1, 5))
        for name, x in ("loss", loss), ("top1", top1), ("top5", top5):
            means[name].add(x.item(), images.size(0))
        text = "step {}/{} {:.1f} s loss {loss.last:.4f} ({loss.value:.4f}) top1 {top1.value:.3f} top5 {top5.value:.3f}"
        print(text.format(step, len(loader), time.time() - started, **means))
        if options.dry_run:
            break
    return means["loss"].value


def check(net, loader, device, options):
    net.eval()
    right = count = 0
    with torch.no_grad():
        for images, classes in loader:
            best, guesses = net(images.to(device)).max(1)
            right += guesses.eq(classes.to(device)).sum().item()
            count += best.size(0)
            if options.dry_run:
                break
    print("test: %.3f %% (%d of %d)" % (100.0 * right / count, right, count))  # noqa: UP031
    return 100.0 * right / count


def scheduled(optimizer, options, epoch):
    if options.falls:
        return optim.lr_scheduler.MultiStepLR(optimizer, milestones=options.falls, last_epoch=epoch - 1)
    return optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=options.epochs)


def loaders(options):
    normalize = transforms.Normalize(mean=(0.491, 0.482, 0.447), std=(0.247, 0.243, 0.262))
    plain = [transforms.ToTensor(), normalize]
    varied = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), *plain]
    for train, steps in (True, varied), (False, plain):
        data = torchvision.datasets.CIFAR10(
            root=options.data, train=train, download=True, transform=transforms.Compose(steps)
        )
        yield torch.utils.data.DataLoader(
            data, options.batch_size, shuffle=train, num_workers=options.workers, pin_memory=True
        )


def options_of(argv):
    parser = argparse.ArgumentParser(description="Small pictures by PyTorch")
    parser.add_argument("--data", default="./data")
    parser.add_argument("--save", default="checkpoint")
    parser.add_argument("--resume", "-r", action="store_true")
    parser.add_argument("--dry-run", action="store_true", help="one step of each epoch")
    parser.add_argument("-b", "--batch-size", default=128, type=int)
    parser.add_argument("-j", "--workers", default=2, type=int)
    parser.add_argument("--epochs", default=200, type=int)
    parser.add_argument("--lr", "--learning-rate", default=0.1, type=float)
    parser.add_argument("--clip", default=0.0, type=float)
    parser.add_argument("--falls", default=[], type=int, nargs="*", help="epochs at which the rate falls to a tenth")
    return parser.parse_args(argv)


def main(argv=None):
    options = options_of(argv)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train_loader, test_loader = loaders(options)
    net = Net().to(device)
    if device == "cuda":
        net = torch.nn.DataParallel(net)
        cudnn.benchmark = True
    criterion = nn.CrossEntropyLoss().to(device)
    optimizer = optim.SGD(net.parameters(), lr=options.lr, momentum=0.9, weight_decay=5e-4)
    path, best, start = os.path.join(options.save, "best.pth"), 0, 0
    if options.resume:
        state = torch.load(path, map_location=device)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        best, start = state["best"], state["epoch"] + 1
        print(f"resumed at epoch {start}, best {best:.3f}")
    scheduler = scheduled(optimizer, options, start)
    for epoch in range(start, start + options.epochs):
        print("\nepoch {:d} lr {:.5e}".format(epoch, optimizer.param_groups[0]["lr"]))  # noqa: UP032
        learn(net, train_loader, criterion, optimizer, device, options)
        accuracy = check(net, test_loader, device, options)
        scheduler.step()
        if accuracy >= best:
            best = accuracy
            os.makedirs(options.save, exist_ok=True)
            torch.save(
                {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "best": best, "epoch": epoch}, path
            )


if __name__ == "__main__":
    main()
