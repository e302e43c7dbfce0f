"""What every program here understands: NAME.py [PERCENT] [floor]

PERCENT is how much of its work it does (100). With `floor` it collects at every 20th step, far more
often than anybody would, so that its peak is the memory that it needs and hardly any garbage.
"""
import gc
import sys

PERCENT = int(next((word for word in sys.argv[1:] if word.isdigit()), 100))
FLOOR = "floor" in sys.argv[1:]


def scaled(amount):
    """So much of the work."""
    return max(1, amount * PERCENT // 100)


def step(number):
    """Between two steps of a program whose garbage is measured."""
    if FLOOR and number % 20 == 0:
        gc.collect()


def randoms(seed):
    """Numbers of 31 bits, the same ones everywhere."""
    state = seed
    while True:
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield state >> 8
