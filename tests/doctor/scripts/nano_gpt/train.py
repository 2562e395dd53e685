"""Trains a small GPT, step by step, with an evaluation every so many steps."""
import os

import torch
from torch.nn.parallel import DistributedDataParallel as DDP

from model import GPT, Config

# -----------------------------------------------------------------------------
out_dir = 'out'
eval_interval = 5
eval_iters = 2
max_iters = 100000 # total number of training iterations
learning_rate = 1e-3
weight_decay = 1e-1
device = 'cpu'
# -----------------------------------------------------------------------------
ddp = int(os.environ.get('RANK', -1)) != -1 # is this a ddp run?
torch.manual_seed(1337)

def get_batch(split):
    start = torch.randint(0, 16, (8, 1))
    data = (start + torch.arange(9)) % 16
    return data[:, :-1].contiguous(), data[:, 1:].contiguous()

iter_num = 0
best_val_loss = 1e9

model_args = dict(n_layer=1, n_embd=16)
gptconf = Config(**model_args)
model = GPT(gptconf)
model.to(device)

# optimizer
optimizer = model.configure_optimizers(weight_decay, learning_rate)

if ddp:
    model = DDP(model)

@torch.no_grad()
def estimate_loss():
    out = {}
    model.eval()
    for split in ['train', 'val']:
        losses = torch.zeros(eval_iters)
        for k in range(eval_iters):
            X, Y = get_batch(split)
            logits, loss = model(X, Y)
            losses[k] = loss.item()
        out[split] = losses.mean()
    model.train()
    return out

# training loop
X, Y = get_batch('train')
raw_model = model.module if ddp else model
while True:

    # evaluate the loss on train/val sets and write checkpoints
    if iter_num % eval_interval == 0:
        losses = estimate_loss()
        print(f"step {iter_num}: train loss {losses['train']:.4f}, val loss {losses['val']:.4f}")
        if losses['val'] < best_val_loss:
            best_val_loss = losses['val']
            if iter_num > 0:
                checkpoint = {'model': raw_model.state_dict(), 'iter_num': iter_num}
                os.makedirs(out_dir, exist_ok=True)
                torch.save(checkpoint, os.path.join(out_dir, 'ckpt.pt'))

    logits, loss = model(X, Y)
    X, Y = get_batch('train')
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    iter_num += 1

    # termination conditions
    if iter_num > max_iters:
        break
