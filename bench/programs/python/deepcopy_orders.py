"""copy.deepcopy: a configuration is copied for each user and changed a little."""
import copy

from command import randoms, scaled


class Setting:
    """An object with a dictionary, as most are."""

    def __init__(self, name, value):
        self.name = name
        self.values = {"default": value, "bounds": (0, value * 2), "tags": [name, value]}


def template():
    source = randoms(4)
    return {f"group {n}": [Setting(f"s{next(source) % 97}", next(source) % 1000)
                           for _ in range(12)] for n in range(20)}


def main():
    base, users, checksum = template(), [], 0
    for number in range(scaled(350)):
        mine = copy.deepcopy(base)
        for group in mine.values():
            group[number % 12].values["default"] += number
        users.append(mine)
        if len(users) > 40:
            users.pop(0)
    for mine in users:
        for group in mine.values():
            for setting in group:
                checksum = (checksum * 31 + setting.values["default"]) & 0xFFFFFFFF
    print(f"{len(users)} users, checksum {checksum:08x}")


main()
