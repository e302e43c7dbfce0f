"""Every test of CPython's own that can run here: the same outcome with Tidemark as without it.

Part of `./dev test --full`, which calls it by name: it takes some forty minutes.
"""
import sys

import harness
import test_stdlib

# Two processes of a machine share its sockets of that kind, and there may be nobody who answers.
WITHOUT = "--ignore=*VSOCK*"
# These need a network, a display, a compiler and pip, or an hour; or test the machine's speed; or
# change the XML library under the writer of the results.
LEFT_OUT = ("test_ensurepip", "test_venv", "test_distutils", "test_lib2to3", "test_tools",
            "test_cppext", "test_peg_generator", "test_idle", "test_tk", "test_ttk_guionly",
            "test_ttk_textonly", "test_tix", "test_turtle", "test_urllib2net", "test_urllibnet",
            "test_smtpnet", "test_timeout", "test_xml_etree", "test_xml_etree_c")

LEAST = 10000  # cases; fewer, and the suite did not run


def main():
    python = test_stdlib.interpreter()
    differences, count, stock, mine = test_stdlib.compare(python, LEFT_OUT, WITHOUT, "-j1", "-x")
    again = test_stdlib.modules(differences)
    if again:  # some cases mind a busy machine, and the two arms share one
        print("differed at first:", *differences, sep="\n  ")
        differences, _, stock, mine = test_stdlib.compare(python, again, WITHOUT, "-j1")
    print(f"{count} cases, {len(differences)} of them differ", *differences, sep="\n  ")
    if differences or count < LEAST:
        print(f"stock:\n{stock}\ntidemark:\n{mine}")
    return 1 if differences or count < LEAST else 0


if __name__ == "__main__":
    print(f"comparing {harness.PYTHON} with and without {harness.TIDEMARK}", flush=True)
    sys.exit(main())
