# A small Transformer language model, trained epoch by epoch
import math
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(1111)
device = 'cuda' if torch.cuda.is_available() else 'cpu'
ntokens, bptt, epochs, lr = 20, 8, 40, 0.05
best_val_loss = None


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_len=64):
        super().__init__()
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, 1, d_model)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer('pe', pe)

    def forward(self, x):
        return x + self.pe[:x.size(0)]


class TransformerModel(nn.Module):
    def __init__(self, ntoken, ninp, nhead, nhid, nlayers):
        super().__init__()
        self.ninp = ninp
        self.encoder = nn.Embedding(ntoken, ninp)
        self.pos_encoder = PositionalEncoding(ninp)
        layer = nn.TransformerEncoderLayer(ninp, nhead, nhid, dropout=0.0)
        self.transformer_encoder = nn.TransformerEncoder(layer, nlayers, enable_nested_tensor=False)
        self.decoder = nn.Linear(ninp, ntoken)

    def forward(self, src):
        mask = nn.Transformer.generate_square_subsequent_mask(len(src))
        src = self.encoder(src) * math.sqrt(self.ninp)
        src = self.pos_encoder(src)
        output = self.transformer_encoder(src, mask=mask)
        output = self.decoder(output)
        return F.log_softmax(output, dim=-1)


def batches(n, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        start = torch.randint(0, ntokens, (1, 6), generator=generator)
        text = (start + torch.arange(bptt + 1).unsqueeze(1)) % ntokens
        yield text[:-1].to(device), text[1:].reshape(-1).to(device)


model = TransformerModel(ntokens, 16, 2, 16, 1).to(device)
criterion = nn.NLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=lr)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.25, patience=2)


def evaluate(seed):
    # Turn on evaluation mode which disables dropout.
    model.eval()
    total_loss = 0.
    with torch.no_grad():
        for data, targets in batches(2, seed):
            output = model(data).view(-1, ntokens)
            total_loss += criterion(output, targets).item()
    return total_loss / 2


def train():
    model.train()
    for data, targets in batches(4, 1):
        optimizer.zero_grad()
        output = model(data).view(-1, ntokens)
        loss = criterion(output, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()


# At any point you can hit Ctrl + C to break out of training early.
try:
    for epoch in range(1, epochs + 1):
        epoch_start_time = time.time()
        train()
        val_loss = evaluate(2)
        print('| end of epoch {:3d} | time: {:5.2f}s | valid loss {:5.2f}'.format(
            epoch, (time.time() - epoch_start_time), val_loss))
        # Save the model if the validation loss is the best we've seen so far.
        if not best_val_loss or val_loss < best_val_loss:
            with open('model.pt', 'wb') as f:
                torch.save(model.state_dict(), f)
            best_val_loss = val_loss
        scheduler.step(val_loss)
except KeyboardInterrupt:
    print('Exiting from training early')

test_loss = evaluate(3)
print('| End of training | test loss {:5.2f} | test ppl {:8.2f}'.format(test_loss, math.exp(test_loss)))
