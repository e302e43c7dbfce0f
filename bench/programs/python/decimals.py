"""Exact numbers: interest in Decimal, series in Fraction, and large integers."""
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from fractions import Fraction

from command import randoms, scaled


def interest(accounts):
    cent, total = Decimal("0.01"), Decimal(0)
    source = randoms(16)
    for _ in range(accounts):
        balance = Decimal(next(source) % 1000000) / 100
        rate = Decimal(next(source) % 700) / 10000
        for _ in range(24):
            balance = (balance * (1 + rate / 12)).quantize(cent, rounding=ROUND_HALF_EVEN)
        total += balance
    return total


def harmonic(count):
    return sum((Fraction(1, n) for n in range(1, count)), Fraction(0))


def square_root(digits):
    """The root of 2 by Newton's steps on an integer."""
    scale = 10 ** (2 * digits)
    guess = 10 ** digits * 3 // 2
    while True:
        better = (guess + 2 * scale // guess) // 2
        if abs(better - guess) <= 1:
            return better
        guess = better


def main():
    getcontext().prec = 40
    total = interest(scaled(24000))
    series = sum(harmonic(n).numerator % 1000003 for n in range(20, 20 + scaled(320)))
    roots = sum(square_root(digits) % 1000003 for digits in range(100, 100 + scaled(500)))
    print(f"interest {total}, series {series}, roots {roots}")


main()
