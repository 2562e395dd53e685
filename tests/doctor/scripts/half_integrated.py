"""Somebody began to put dendrites in, and stopped half-way."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from perforatedai import globals_perforatedai as GPA
from perforatedai import utils_perforatedai as UPA
from torch.optim.lr_scheduler import StepLR

GPA.pc.set_testing_dendrite_capacity(True)
GPA.pc.set_configuration_confirmed(True)


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 16)
        self.fc2 = nn.Linear(16, 2)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        loss = F.cross_entropy(model(x), y)
    return loss.item()


torch.manual_seed(0)
x = torch.randn(96, 10)
y = (x.sum(1) > 0).long()

model = MLP()
model = UPA.perforate_model(model, save_name="half")
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = StepLR(optimizer, step_size=20)

for epoch in range(60):
    model.train()
    for i in range(0, 64, 16):
        optimizer.zero_grad()
        F.cross_entropy(model(x[i:i + 16]), y[i:i + 16]).backward()
        optimizer.step()
    scheduler.step()
    val_loss = evaluate(model, x[64:], y[64:])
    GPA.pai_tracker.add_validation_score(val_loss, model)  # grows when it has to
    print(epoch, val_loss)
