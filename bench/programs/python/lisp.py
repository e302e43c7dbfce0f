"""A small Lisp: closures and environments that refer to each other, symbols, and deep recursion."""
import sys

from command import scaled

PROGRAM = """
(define (range a b) (if (< a b) (cons a (range (+ a 1) b)) nil))
(define (map f l) (if (null l) nil (cons (f (car l)) (map f (cdr l)))))
(define (fold f x l) (if (null l) x (fold f (f x (car l)) (cdr l))))
(define (adder n) (lambda (x) (+ x n)))
(define (compose f g) (lambda (x) (f (g x))))
(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(define (work n) (+ (fib 13)
  (fold (lambda (a b) (+ a b)) 0 (map (compose (adder n) (adder 3)) (range 0 60)))))
"""
BUILTINS = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "<": lambda a, b: a < b,
    "cons": lambda a, b: (a, b), "car": lambda p: p[0], "cdr": lambda p: p[1],
    "null": lambda p: p is None, "nil": None,
}


class Environment(dict):
    """Names of one call, and where to look for others."""

    def __init__(self, names, values, outer):
        super().__init__(zip(names, values))
        self.outer = outer

    def find(self, name):
        scope = self
        while name not in scope:
            scope = scope.outer
        return scope[name]


def parsed(words):
    word = words.pop(0)
    if word != "(":
        return int(word) if word.isdigit() else sys.intern(word)
    form = []
    while words[0] != ")":
        form.append(parsed(words))
    words.pop(0)
    return form


def closure(names, body, outer):
    return lambda *values: evaluated(body, Environment(names, values, outer))


def evaluated(form, scope):
    if isinstance(form, str):
        return scope.find(form)
    if isinstance(form, int):
        return form
    head = form[0]
    if head == "if":
        return evaluated(form[2] if evaluated(form[1], scope) else form[3], scope)
    if head == "lambda":
        return closure(form[1], form[2], scope)
    if head == "define":
        name, *parameters = form[1]
        scope[name] = closure(parameters, form[2], scope)
        return None
    return evaluated(head, scope)(*[evaluated(part, scope) for part in form[1:]])


def main():
    sys.setrecursionlimit(20000)
    total = 0
    for number in range(scaled(170)):
        world = Environment(BUILTINS.keys(), BUILTINS.values(), None)
        words = PROGRAM.replace("(", " ( ").replace(")", " ) ").split()
        while words:
            evaluated(parsed(words), world)
        total += evaluated(["work", number], world)
    print(f"total {total}")


main()
