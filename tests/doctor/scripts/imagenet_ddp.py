"""Distributed training in the manner of the well-known ImageNet example."""
import argparse
import os
import shutil
import time

import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.parallel
import torch.optim
import torch.utils.data
import torch.utils.data.distributed

parser = argparse.ArgumentParser(description='ImageNet-like training')
parser.add_argument('--epochs', default=90, type=int, metavar='N', help='number of total epochs to run')
parser.add_argument('--start-epoch', default=0, type=int)
parser.add_argument('-b', '--batch-size', default=8, type=int)
parser.add_argument('--lr', '--learning-rate', default=0.1, type=float, dest='lr')
parser.add_argument('--momentum', default=0.9, type=float)
parser.add_argument('--wd', '--weight-decay', default=1e-4, type=float, dest='weight_decay')
parser.add_argument('--resume', default='', type=str, metavar='PATH')
parser.add_argument('--world-size', default=1, type=int)
parser.add_argument('--gpu', default=None, type=int)

best_acc1 = 0


class BasicBlock(nn.Module):
    def __init__(self, planes):
        super().__init__()
        self.conv1 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(x + self.bn2(self.conv2(out)))


class ResNet(nn.Module):
    def __init__(self, planes=4, classes=5):
        super().__init__()
        self.stem = nn.Conv2d(3, planes, 3, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(planes), BasicBlock(planes))
        self.fc = nn.Linear(planes, classes)

    def forward(self, x):
        x = self.layer1(self.stem(x))
        return self.fc(x.mean(dim=(2, 3)))


def main():
    args = parser.parse_args()
    args.distributed = args.world_size > 1
    main_worker(args.gpu, args)


def main_worker(gpu, args):
    global best_acc1
    args.gpu = gpu

    if args.distributed:
        dist.init_process_group(backend='gloo', world_size=args.world_size, rank=int(os.environ['RANK']))
    # create model
    print("=> creating model")
    model = ResNet()

    if args.distributed:
        model = torch.nn.parallel.DistributedDataParallel(model)
    elif torch.cuda.is_available():
        model = torch.nn.DataParallel(model).cuda()
    else:
        print('using CPU, this will be slow')

    # define loss function (criterion), optimizer, and learning rate scheduler
    criterion = nn.CrossEntropyLoss()

    optimizer = torch.optim.SGD(model.parameters(), args.lr,
                                momentum=args.momentum,
                                weight_decay=args.weight_decay)

    """Sets the learning rate to the initial LR decayed by 10 every 30 epochs"""
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.1)

    # optionally resume from a checkpoint
    if args.resume:
        if os.path.isfile(args.resume):
            checkpoint = torch.load(args.resume)
            args.start_epoch = checkpoint['epoch']
            best_acc1 = checkpoint['best_acc1']
            model.load_state_dict(checkpoint['state_dict'])
            optimizer.load_state_dict(checkpoint['optimizer'])

    train_dataset, val_dataset = fake(40), fake(20)
    train_loader = torch.utils.data.DataLoader(train_dataset, batch_size=args.batch_size, shuffle=True)
    val_loader = torch.utils.data.DataLoader(val_dataset, batch_size=args.batch_size)

    for epoch in range(args.start_epoch, args.epochs):
        # train for one epoch
        train(train_loader, model, criterion, optimizer, epoch, args)

        # evaluate on validation set
        acc1 = validate(val_loader, model, criterion, args)

        scheduler.step()

        # remember best acc@1 and save checkpoint
        is_best = acc1 > best_acc1
        best_acc1 = max(acc1, best_acc1)

        save_checkpoint({
            'epoch': epoch + 1,
            'state_dict': model.state_dict(),
            'best_acc1': best_acc1,
            'optimizer': optimizer.state_dict(),
        }, is_best)


def fake(n):
    generator = torch.Generator().manual_seed(n)
    y = torch.arange(n) % 5
    x = torch.randn(n, 3, 8, 8, generator=generator) + y.view(-1, 1, 1, 1)
    return torch.utils.data.TensorDataset(x, y)


def train(train_loader, model, criterion, optimizer, epoch, args):
    losses = AverageMeter('Loss')
    model.train()
    end = time.time()
    for images, target in train_loader:
        output = model(images)
        loss = criterion(output, target)
        losses.update(loss.item(), images.size(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f'Epoch {epoch}: loss {losses.avg:.3f} in {time.time() - end:.1f} s')


def validate(val_loader, model, criterion, args):
    top1 = AverageMeter('Acc@1')
    model.eval()
    with torch.no_grad():
        for images, target in val_loader:
            output = model(images)
            acc1 = (output.argmax(1) == target).float().mean() * 100
            top1.update(acc1.item(), images.size(0))
    print(f' * Acc@1 {top1.avg:.3f}')
    return top1.avg


def save_checkpoint(state, is_best, filename='checkpoint.pth.tar'):
    torch.save(state, filename)
    if is_best:
        shutil.copyfile(filename, 'model_best.pth.tar')


class AverageMeter(object):
    """Computes and stores the average and current value"""
    def __init__(self, name):
        self.name = name
        self.sum = self.count = self.avg = 0

    def update(self, val, n=1):
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count


if __name__ == '__main__':
    main()
