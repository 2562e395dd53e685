import torch
import torch.nn as nn
import torch.optim as optim

nz, lr = 8, 2e-4
netG = nn.Sequential(nn.Linear(nz, 16), nn.ReLU(True), nn.Linear(16, 32), nn.Tanh())
netD = nn.Sequential(nn.Linear(32, 16), nn.LeakyReLU(0.2, True), nn.Linear(16, 1))
criterion = nn.BCEWithLogitsLoss()
real_data = torch.randn(64, 32).clamp(-1, 1)

# setup optimizers
optimizerD = optim.Adam(netD.parameters(), lr=lr, betas=(0.5, 0.999))
optimizerG = optim.Adam(netG.parameters(), lr=lr, betas=(0.5, 0.999))

for epoch in range(3):
    for real in real_data.split(16):
        # (1) Update D network: maximize log(D(x)) + log(1 - D(G(z)))
        netD.zero_grad()
        fake = netG(torch.randn(16, nz))
        errD = criterion(netD(real), torch.ones(16, 1)) + criterion(netD(fake.detach()), torch.zeros(16, 1))
        errD.backward()
        optimizerD.step()
        # (2) Update G network: maximize log(D(G(z)))
        netG.zero_grad()
        errG = criterion(netD(fake), torch.ones(16, 1))
        errG.backward()
        optimizerG.step()
    print(f"[{epoch}] Loss_D: {errD.item():.4f} Loss_G: {errG.item():.4f}")
