"""delays.py FILE PROGRAM [ARGUMENT...]: runs a program under Tidemark, then writes how long each
request of the engine waited for its answer, whichever that was, in ns, a line each."""
import runpy
import sys

import tidemark

OUT = sys.argv[1]
EVENTS = []
tidemark.on_event(lambda event: EVENTS.append((event["verdict"], event["time_ns"])))
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")

ASKED = None
with open(OUT, "w", encoding="ascii") as file:
    for verdict, time_ns in EVENTS:
        if verdict == "deferred":
            ASKED = ASKED or time_ns
        elif ASKED:
            file.write(f"{time_ns - ASKED}\n")
            ASKED = None
