import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def double_conv(cin, cout):
  return nn.Sequential(
    nn.Conv2d(cin, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU(inplace=True),
    nn.Conv2d(cout, cout, 3, padding=1), nn.ReLU(inplace=True))


class UNet(nn.Module):
  def __init__(self, width=4):
    super().__init__()
    self.down1 = double_conv(1, width)
    self.down2 = double_conv(width, 2 * width)
    self.pool = nn.MaxPool2d(2)
    self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
    self.conv = double_conv(2 * width, width)
    self.out = nn.Conv2d(width, 1, 1)

  def forward(self, x):
    a = self.down1(x)
    b = self.down2(self.pool(a))
    return self.out(self.conv(torch.cat([a, self.up(b)], dim=1)))


def iou_score(logits, mask):
  pred = logits > 0
  return ((pred & mask).sum((1, 2, 3)) / ((pred | mask).sum((1, 2, 3)) + 1e-6)).mean()


def make_data(n=48):
  torch.manual_seed(0)
  mask = torch.zeros(n, 1, 16, 16, dtype=torch.bool)
  for i in range(n):
    r, c = torch.randint(0, 10, (2,))
    mask[i, :, r:r + 6, c:c + 6] = True
  return TensorDataset(mask + 0.3 * torch.randn(n, 1, 16, 16), mask)


def main(epochs=25, lr=1e-2):
  dataset = make_data()
  train_set, val_set = random_split(dataset, [32, 16])
  train_loader = DataLoader(train_set, batch_size=8, shuffle=True)
  val_loader = DataLoader(val_set, batch_size=8)

  model = UNet()
  optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
  scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
  criterion = nn.BCEWithLogitsLoss()
  best_iou = 0.0

  for epoch in range(epochs):
    model.train()
    for x, y in train_loader:
      loss = criterion(model(x), y.float())
      optimizer.zero_grad()
      loss.backward()
      optimizer.step()
    scheduler.step()

    model.eval()
    val_loss, val_iou = 0.0, 0.0
    with torch.no_grad():
      for x, y in val_loader:
        logits = model(x)
        val_loss += criterion(logits, y.float()).item()
        val_iou += iou_score(logits, y).item()
    val_loss /= len(val_loader)
    val_iou /= len(val_loader)
    print(f'epoch {epoch}: loss {val_loss:.3f} IoU {val_iou:.3f}')

    if val_iou > best_iou:
      best_iou = val_iou
      torch.save(model.state_dict(), 'best_unet.pth')


if __name__ == '__main__':
  main()
