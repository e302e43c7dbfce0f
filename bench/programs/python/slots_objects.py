"""Dataclasses and objects with slots: a bank's accounts, and particles that move."""
from dataclasses import dataclass, field, replace

from command import randoms, scaled


@dataclass
class Account:
    """Has a dictionary and a list that grows."""
    number: int
    balance: int = 0
    history: list = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Cannot be changed, only replaced."""
    source: int
    target: int
    amount: int


class Vector:
    """A new one for each result."""
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def scaled(self, part, whole):
        return Vector(self.x * part // whole, self.y * part // whole)


def bank(count):
    source = randoms(15)
    accounts = [Account(n, 1000) for n in range(2000)]
    for _ in range(count):
        transfer = Transfer(next(source) % 2000, next(source) % 2000, next(source) % 500)
        giver, taker = accounts[transfer.source], accounts[transfer.target]
        if giver.balance < transfer.amount:
            transfer = replace(transfer, amount=giver.balance)
        giver.balance -= transfer.amount
        taker.balance += transfer.amount
        taker.history.append(transfer)
    return sum(account.balance * len(account.history) for account in accounts)


def particles(steps):
    places = [Vector(n * 100, n * 37) for n in range(1000)]
    speeds = [Vector(n % 17 - 8, n % 13 - 6) for n in range(1000)]
    for _ in range(steps):
        places = [place + speed for place, speed in zip(places, speeds)]
        speeds = [(speed + place.scaled(-1, 512)).scaled(15, 16)
                  for place, speed in zip(places, speeds)]
    return sum(place.x * 3 + place.y for place in places)


def main():
    print(f"bank {bank(scaled(150000))}, particles {particles(scaled(400))}")


main()
