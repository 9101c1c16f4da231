"""The imperative rows on CPython: nanoseconds an operation, best of five, as JSON."""

import contextvars
import json
import platform
import timeit

variables = [contextvars.ContextVar(f"key_{i}") for i in range(8)]
for i, variable in enumerate(variables):
    variable.set(f"value {i}")
third = variables[3]
four = variables[:4]


def nothing():
    pass


def seeded():
    for variable in four:
        variable.set("value")


def run():
    contextvars.copy_context().run(seeded)


def bind():
    contextvars.copy_context().run(nothing)


def nanoseconds(call, number=200_000):
    return min(timeit.repeat(call, number=number, repeat=5)) / number * 1e9


print(json.dumps({
    "version": platform.python_version(),
    "rows": {
        "context-get-task": nanoseconds(third.get),
        "context-set-task": nanoseconds(lambda: third.set("value")),
        "context-run": nanoseconds(run),
        "bind": nanoseconds(bind),
    },
}))
