"""Runs the Autobahn fuzzing client against a server and judges its report strictly.

Usage, with CPython 2.7: driver.py SITE_FOLDER REPORT_FOLDER ADDRESS [--short]

Exits with 1 unless every case is OK in both its behaviour and its close; the cases that spec.json
names may also be INFORMATIONAL.
"""

import collections
import json
import os
import site
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = "parlour"


def run_cases(site_folder, report_folder, address, cases):
    """Runs the cases; the suite reads its options from sys.argv and may end by sys.exit."""
    spec_path = os.path.join(report_folder, "spec.json")
    with open(spec_path, "w") as spec:
        json.dump({
            "outdir": report_folder,
            "servers": [{"agent": AGENT, "url": "ws://" + address}],
            "cases": cases,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }, spec)
    site.addsitedir(site_folder)
    # The folder must win over packages of the interpreter, setuptools among them.
    sys.path.insert(0, site_folder)
    from autobahntestsuite import wstest
    sys.argv = ["wstest", "-m", "fuzzingclient", "-s", spec_path]
    try:
        wstest.run()
    except SystemExit as end:
        if end.code:
            raise


def judge(report_folder, informational):
    """Prints the figures and each case that is not strictly OK; returns whether all are."""
    with open(os.path.join(report_folder, "index.json")) as index:
        results = json.load(index).get(AGENT, {})
    figures = collections.Counter()
    bad = []
    for case, result in results.items():
        verdicts = (result["behavior"], result["behaviorClose"])
        figures[result["behavior"]] += 1
        allowed = ("OK", "INFORMATIONAL") if case in informational else ("OK",)
        if not all(verdict in allowed for verdict in verdicts):
            bad.append((case, verdicts))
    for case, verdicts in sorted(bad):
        print("case %s: behaviour %s, close %s" % ((case,) + verdicts))
    counted = ", ".join("%d %s" % (count, name) for name, count in sorted(figures.items()))
    print("%d cases: %s; %d not strictly OK" % (len(results), counted, len(bad)))
    return bool(results) and not bad


def main(arguments):
    short = "--short" in arguments
    site_folder, report_folder, address = [a for a in arguments if not a.startswith("--")]
    with open(os.path.join(HERE, "spec.json")) as spec_file:
        spec = json.load(spec_file)
    cases = spec["short_cases" if short else "cases"]
    # The suite compares the type of its options.
    cases = [str(case) for case in cases]
    run_cases(site_folder, report_folder, address, cases)
    return 0 if judge(report_folder, spec["informational"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
