import argparse

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


def get_dataloaders(batch_size):
    x = torch.randn(72, 1, 8, 8)
    y = (x[:, 0, :4].mean((1, 2)) > 0).long()
    train, test = TensorDataset(x[:48], y[:48]), TensorDataset(x[48:], y[48:])
    return DataLoader(train, batch_size=batch_size, shuffle=True), DataLoader(test, batch_size=batch_size)


def training_function(config, args):
    accelerator = Accelerator(cpu=args.cpu)
    set_seed(config["seed"])
    train_dataloader, eval_dataloader = get_dataloaders(config["batch_size"])

    # Instantiate the model (we build the model here so that the seed also controls new weights initialization)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 2)
    )
    model = model.to(accelerator.device)
    optimizer = torch.optim.AdamW(params=model.parameters(), lr=config["lr"])
    lr_scheduler = StepLR(optimizer, step_size=5, gamma=0.9)

    # Prepare everything
    model, optimizer, train_dataloader, eval_dataloader, lr_scheduler = accelerator.prepare(
        model, optimizer, train_dataloader, eval_dataloader, lr_scheduler
    )

    # Now we train the model
    for epoch in range(config["num_epochs"]):
        model.train()
        for step, (inputs, targets) in enumerate(train_dataloader):
            loss = torch.nn.functional.cross_entropy(model(inputs), targets)
            accelerator.backward(loss)
            optimizer.step()
            lr_scheduler.step()
            optimizer.zero_grad()

        model.eval()
        accurate = 0
        num_elems = 0
        for step, (inputs, targets) in enumerate(eval_dataloader):
            with torch.no_grad():
                predictions = model(inputs).argmax(dim=-1)
            predictions, targets = accelerator.gather_for_metrics((predictions, targets))
            num_elems += targets.shape[0]
            accurate += (predictions == targets).sum().item()

        eval_accuracy = accurate / num_elems
        accelerator.print(f"epoch {epoch}: {100 * eval_accuracy:.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cpu", action="store_true", default=True)
    args = parser.parse_args()
    training_function({"lr": 3e-3, "num_epochs": 3, "seed": 42, "batch_size": 12}, args)


if __name__ == "__main__":
    main()
