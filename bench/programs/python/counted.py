"""counted.py FILE PROGRAM [ARGUMENT...]: runs a program, then writes how often was collected: young
and all generations, as the interpreter's own statistics have it."""
import gc
import runpy
import sys

OUT = sys.argv[1]
del sys.argv[:2]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    RUNS = [row["collections"] for row in gc.get_stats()]
    with open(OUT, "w", encoding="ascii") as file:
        file.write(f"{sum(RUNS[:-1])} {RUNS[-1]}\n")
