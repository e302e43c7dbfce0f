"""thresholds.py YOUNG,MIDDLE,FULL PROGRAM [ARGUMENT...]: runs a program with thresholds of its own."""
import gc
import runpy
import sys

gc.set_threshold(*map(int, sys.argv[1].split(",")))
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")
