"""Mathematics questions that a few lines of Python settle."""

from math import gcd, isqrt

from orchestra_app.rehearsal.draws import Draw
from orchestra_app.rehearsal.forms import Draft, Form, Wordings


def _prime_sum(limit: int) -> int:
    composite: set[int] = set()
    total = 0
    for number in range(2, limit):
        if number not in composite:
            total += number
            composite.update(range(number * number, limit, number))
    return total


def _divisors(number: int) -> int:
    small = sum(number % low == 0 for low in range(1, isqrt(number) + 1))
    return 2 * small - (isqrt(number) ** 2 == number)


def _power(base: int, exponent: int, modulus: int) -> int:
    result = 1
    for _ in range(exponent):
        result = result * base % modulus
    return result


def _digit_sums(limit: int, wanted: int) -> int:
    return sum(
        number // 1000 + number // 100 % 10 + number // 10 % 10 + number % 10 == wanted
        for number in range(1, limit + 1)
    )


def _collatz(number: int) -> int:
    steps = 0
    while number != 1:
        number = 3 * number + 1 if number % 2 else number // 2
        steps += 1
    return steps


_FORMS = (
    Form(
        ((80, 900),),
        _prime_sum,
        "primes = [n for n in range(2, $a) if all(n % d for d in range(2, int(n ** 0.5) + 1))]\n"
        "print(sum(primes))",
        Wordings(
            (
                "Find the sum of all primes below $a.",
                "What is the total of the prime numbers smaller than $a?",
                "Add up every prime less than $a.",
            ),
            ("Primes under $a: what do they sum to?", "Which total do the primes that $a exceeds give?"),
        ),
    ),
    Form(
        ((80, 900), (3, 13), (14, 40)),
        lambda a, b, c: a // b - a // (b * c // gcd(b, c)),
        "print(sum(1 for n in range(1, $a + 1) if n % $b == 0 and n % $c))",
        Wordings(
            (
                "How many integers from 1 to $a are divisible by $b but not by $c?",
                "Count the numbers up to $a that are multiples of $b and not of $c.",
                "In 1..$a, how many multiples of $b are not multiples of $c?",
            ),
            (
                "Among the first $a positive integers, how many does $b divide while $c does not?",
                "Take the multiples of $b up to $a and strike out those of $c: how many stay?",
            ),
        ),
    ),
    Form(
        ((3, 13), (14, 40), (80, 900)),
        _power,
        "print(pow($a, $b, $c))",
        Wordings(
            (
                "What is the remainder of $a^$b divided by $c?",
                "Compute $a to the power $b modulo $c.",
                "Find $a^$b mod $c.",
            ),
            ("Reduce $a^$b modulo $c.", "Dividing $a raised to $b by $c leaves what?"),
        ),
    ),
    Form(
        ((200, 9_000),),
        _divisors,
        "print(sum(1 for d in range(1, $a + 1) if $a % d == 0))",
        Wordings(
            (
                "How many positive divisors does $a have?",
                "Count the divisors of $a, 1 and $a included.",
                "What is the number of positive integers that divide $a?",
            ),
            (
                "$a is divisible by how many positive integers?",
                "By how many whole numbers can $a be split evenly?",
            ),
        ),
    ),
    Form(
        ((200, 2_000), (3, 15)),
        _digit_sums,
        "print(sum(1 for n in range(1, $a + 1) if sum(map(int, str(n))) == $b))",
        Wordings(
            (
                "How many integers from 1 to $a have digits that sum to $b?",
                "Count the numbers up to $a whose digit sum is $b.",
                "For how many positive integers not above $a is the sum of the digits $b?",
            ),
            (
                "Digits adding to exactly $b: how often does that happen from 1 to $a?",
                "Up to $a, how frequent is a digit total of $b?",
            ),
        ),
    ),
    Form(
        ((10, 900),),
        _collatz,
        "n, steps = $a, 0\nwhile n != 1:\n    n = 3 * n + 1 if n % 2 else n // 2\n"
        "    steps += 1\nprint(steps)",
        Wordings(
            (
                "Start at $a; halve even numbers, turn odd n into 3n + 1. How many steps until 1?",
                "How many steps does the Collatz sequence of $a take to reach 1?",
                "Count the steps of the 3n + 1 process from $a down to 1.",
            ),
            (
                "The 3n + 1 rule is applied to $a again and again; after how many moves does 1 appear?",
                "From $a, how long is the Collatz walk to 1, counted in moves?",
            ),
        ),
    ),
)


def maths(draw: Draw) -> Draft:
    """Return one mathematics question."""
    return draw.pick(_FORMS).draft(draw)
