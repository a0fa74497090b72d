#!/bin/sh
# t-consumers.sh -- reports are taken by those who read such things: a validator of
# JSON, with the schema in doc, and a parser of Prometheus
src=$(cd "${top_srcdir:-..}" && pwd) || exit 99
build=$(pwd)/..
CC=${CC:-cc}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
failed=0

[ -z "$EMULATOR" ] || { echo "skip: the subject runs under $EMULATOR"; exit 77; }
# shellcheck disable=SC2086
${LIBTOOL:-$build/libtool} --quiet --tag=CC --mode=link $CC $CFLAGS \
	-I"$src/include" $LDFLAGS -o "$tmp/subject" "$src/tests/report-subject.c" \
	"$build/lib/libkvarena.la" || exit 99
cd "$tmp" || exit 99
./subject report.json report.prom || exit 99

# python_with MODULE -- a Python that has it
python_with()
{
	for python in python3 /usr/bin/python3; do
		"$python" -c "import $1" 2>/dev/null && echo "$python" && return
	done
}

cat >validate.py <<'END'
"""validate.py SCHEMA REPORT -- the report is as the schema says, and adds up."""
import json
import sys

import jsonschema

schema, report = (json.load(open(name, encoding="utf-8")) for name in sys.argv[1:])
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
checks = 0


def check(good, what):
    global checks
    checks += 1
    if not good:
        sys.exit("FAIL: " + what)


for error in validator.iter_errors(report):
    check(False, "%s at %s" % (error.message, list(error.path)))
arenas = {arena["id"]: arena for arena in report["arenas"]}
check(len(arenas) == len(report["arenas"]) == 4, "four arenas, each with its id")
for arena in report["arenas"]:
    parts = ("used", "padding", "tail", "abandoned", "free", "header")
    check(sum(arena[part + "_bytes"] for part in parts) ==
          arena["current_memory_usage"], "the parts add up to what is held")
    check(arena["peak_memory_usage"] >= arena["current_memory_usage"], "the peak")
    above = arenas.get(arena["parent"])
    check(arena["path"].startswith(above["path"] + "/") if above else
          arena["path"] == "root", "a tree: " + arena["path"])
check(report["arenas"][0]["children_memory_usage"] ==
      sum(a["current_memory_usage"] for a in report["arenas"][1:]), "children")
check(any(a["path"].endswith('/odd "\\??\u00e9?{}=,') for a in arenas.values()), "names")

# The schema is no sieve: each member is missed, and a stranger is noticed.
for name in list(report["arenas"][0]):
    left_out = json.loads(json.dumps(report))
    del left_out["arenas"][0][name]
    check(not validator.is_valid(left_out), "a report without " + name)
report["arenas"][0]["stranger"] = 1
check(not validator.is_valid(report), "a report with a stranger")
print("schema: %d checks" % checks)
END

cat >parse.py <<'END'
"""parse.py REPORT.JSON REPORT.PROM -- the metrics are those of the JSON."""
import json
import sys

from prometheus_client.parser import text_string_to_metric_families

report = json.load(open(sys.argv[1], encoding="utf-8"))
samples = {}
for family in text_string_to_metric_families(open(sys.argv[2], encoding="utf-8").read()):
    if family.type not in ("gauge", "counter") or not family.documentation:
        sys.exit("FAIL: what is %s?" % family.name)
    for sample in family.samples:
        key = sample.name, sample.labels.get("id"), sample.labels.get("arena")
        samples.setdefault(key, sample.value)
checks = 0


def check(name, arena, value):
    global checks
    checks += 1
    key = (str(arena["id"]), arena["path"]) if arena else (None, None)
    found = [samples.get(("kvarena_" + name + end,) + key) for end in ("", "_total")]
    if value not in found:
        sys.exit("FAIL: %s of %s is %s, not %s" % (name, key, found, value))


for arena in report["arenas"]:
    for name, value in arena.items():
        if name not in ("id", "parent") and type(value) is int:
            check(name, arena, value)
for name, value in report["cache"].items():
    check("cache_" + name, None, value)
if checks < 90:
    sys.exit("FAIL: %d figures only" % checks)
print("metrics: %d checks" % checks)
END

ran=no
python=$(python_with jsonschema)
if [ -n "$python" ]; then
	ran=yes
	"$python" validate.py "$src/doc/report.schema.json" report.json || failed=1
else
	echo "skip: no validator of JSON (Debian: python3-jsonschema)"
fi
python=$(python_with prometheus_client)
if [ -n "$python" ]; then
	ran=yes
	"$python" parse.py report.json report.prom || failed=1
else
	echo "skip: no parser of metrics (Debian: python3-prometheus-client)"
fi
if command -v promtool >/dev/null 2>&1; then
	ran=yes
	promtool check metrics <report.prom || failed=1
else
	echo "skip: no promtool (Debian: prometheus)"
fi
[ $ran = yes ] || exit 77
exit $failed
