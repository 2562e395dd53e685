"""House prices, more or less: an MLP for a table, with early stopping."""

import numpy as np
import torch
from torch import nn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 6)).astype("float32")
y = (X @ RNG.normal(size=6) + 0.1 * RNG.normal(size=160)).astype("float32")[:, None]
X_train, X_val = torch.from_numpy(X[:120]), torch.from_numpy(X[120:])
y_train, y_val = torch.from_numpy(y[:120]), torch.from_numpy(y[120:])

net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
loss_fn = nn.MSELoss()
opt = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=1e-5)

best_mse, wait, patience = float("inf"), 0, 50
history = []
for epoch in range(200):
    net.train()
    for start in range(0, len(X_train), 40):
        opt.zero_grad()
        loss = loss_fn(net(X_train[start : start + 40]), y_train[start : start + 40])
        loss.backward()
        opt.step()
    net.eval()
    with torch.inference_mode():
        mse = float(loss_fn(net(X_val), y_val))
    history.append(mse)
    if mse < best_mse:
        best_mse, wait = mse, 0
    else:
        wait += 1
        if wait >= patience:
            print("early stopping")
            break

print(f"MSE: {best_mse:.2f}, RMSE: {np.sqrt(best_mse):.2f}")
