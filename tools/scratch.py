# scratch.py -- the library and its tests in a scratch directory, with a change
#
# For check-mutants and check-planted. A Stage is one way to build: the objects of
# the library, linked into a shared object that exports everything, and all tests
# against it, made once. A changed copy of the sources then costs the objects that
# differ, a link, and the tests until one fails. Reach tells which tests come to a
# line: the others need not be run.
#
# There is no configure here: what config.h would say is found out below.
import collections, concurrent.futures, json, os, re, resource, shutil, signal, subprocess, sys, time

top = None		# the sources as they were at the start; see snapshot
jobs = int(os.environ.get("JOBS", str(min(2, os.cpu_count() or 1))))
slow = float(os.environ.get("SECONDS", "60"))
CC = os.environ.get("SCRATCH_CC", "gcc")

SANITIZE = {"unit": [], "asan": ["-fsanitize=address,undefined",
                                 "-fno-sanitize-recover=all"],
            "tsan": ["-fsanitize=thread"],
            "reach": ["-O0", "--coverage", "-fprofile-update=atomic"]}
# What config.h has where such a program links.
FOUND = {"HAVE_SECURE_GETENV": "#include <stdlib.h>\nint main(void) "
                               "{ return secure_getenv(\"HOME\") != NULL; }",
         "HAVE_BACKTRACE": "#include <execinfo.h>\nint main(void) "
                           "{ void *p; return backtrace(&p, 1); }",
         "HAVE_DLADDR": "#include <dlfcn.h>\nint main(void) "
                        "{ Dl_info i; return dladdr(&i, &i); }"}
# What is for other systems, and what is no program of its own.
LEFT_OUT = {"os_generic.c", "os_windows.c", "t-os-windows.c", "t-adapters-other.c"}

# The tests that see what TSan is for.
THREADED = re.compile(r"t-(shard|registry|threads|thread-lives|fork|scope|cache|"
                      r"api-handle|stats|api-stats)$")


def snapshot(work):
    """Copy the sources into work, so that nobody changes them meanwhile. Returns where
    they came from."""
    global top
    source = os.path.abspath(os.environ.get("srcdir", "."))
    top = os.path.join(work, "source")
    shutil.rmtree(top, ignore_errors=True)
    for d in ("include", "lib", "tests", "fuzz", "proof", "tools"):
        shutil.copytree(os.path.join(source, d), os.path.join(top, d),
                        ignore=shutil.ignore_patterns("*.o", "*.lo", ".libs", ".deps"))
    return source


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, **options)


def must(command, **options):
    r = run(command, **options)
    if r.returncode:
        sys.exit("%s\n%s" % (" ".join(command), r.stdout))


def pkg(what):
    r = run(["pkg-config"] + what + ["check"])
    return r.stdout.split() if r.returncode == 0 else None


def lib_sources():
    return sorted(f for f in os.listdir(os.path.join(top, "lib"))
                  if f.endswith(".c") and f not in LEFT_OUT)


def copy_sources(root):
    shutil.rmtree(root, ignore_errors=True)
    for d in ("include", "lib"):
        shutil.copytree(os.path.join(top, d), os.path.join(root, d))


def includes(root):
    return ["-I%s/include" % root, "-I%s/lib" % root]


def dependencies(dfile):
    """Base names of what an object was made from."""
    text = open(dfile).read().split(":", 1)[1].replace("\\\n", " ")
    return {os.path.basename(p) for p in text.split()}


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def code_of(obj):
    """An object's code, data and relocations: what is left when lines are not told."""
    listing = run(["objdump", "-dr", "--no-show-raw-insn", obj]).stdout
    run(["objcopy", "-O", "binary", "--only-section=.data*", "--only-section=.rodata*",
         obj, obj + ".data"])
    data = open(obj + ".data", "rb").read() if os.path.exists(obj + ".data") else b""
    return re.sub(r"^.*file format.*$", "", listing, flags=re.M), data


def end_session(sid):
    """Kill what a test left: Check puts each test into a process group of its own."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = open("/proc/%s/stat" % pid).read()
            if int(stat[stat.rindex(")") + 2:].split()[3]) == sid:
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass		# gone meanwhile


class Stage:
    def __init__(self, name, work):
        self.name = name
        self.dir = os.path.join(work, name)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.libs = ["-lpthread", "-ldl"]
        with open(os.path.join(self.dir, "config.h"), "w") as config:
            if sys.platform == "linux":
                config.write("#define KV_OS_LINUX 1\n")
            if run([CC, "-E", "-xc", "-", "-o", "/dev/null"],
                   input="#include <numa.h>\n").returncode == 0:
                config.write("#define HAVE_NUMA 1\n")
                self.libs.append("-lnuma")
            for macro, program in FOUND.items():
                if run([CC, "-D_GNU_SOURCE", "-xc", "-", "-o", "/dev/null", "-ldl"],
                       input=program).returncode == 0:
                    config.write("#define %s 1\n" % macro)
        self.flags = ["-std=gnu11", "-D_GNU_SOURCE", "-DHAVE_CONFIG_H", "-I" + self.dir,
                      "-O1", "-w", "-fPIC"] + SANITIZE[name]
        self.deps = {}
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            list(pool.map(self.build_object, lib_sources()))
        must(self.link_command([self.object_of(f) for f in lib_sources()], self.dir))
        self.library = ["-L" + self.dir, "-lkvarena"]
        self.prepare()
        self.build_tests()

    def prepare(self):
        """What a kind of stage needs before its tests are built."""

    def build_tests(self):
        self.tests = {}
        self.helpers = [f[:-2] for f in sorted(os.listdir(top + "/tests"))
                        if re.match(r"kv\w+\.c$", f)]
        for h in self.helpers:
            if self.build_helper(h, top, self.dir):
                sys.exit("%s does not compile" % h)
            self.deps[h] = dependencies("%s/%s.d" % (self.dir, h))
        names = sorted(f[:-2] for f in os.listdir(top + "/tests")
                       if re.match(r"t-[\w-]+\.c$", f) and f not in LEFT_OUT)
        if self.name == "tsan":
            names = [n for n in names if THREADED.match(n)]
        else:
            names += ["fuzz-api", "fuzz-create", "fuzz-family"]
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            built = list(pool.map(self.build_test, names))
        for n, ok in zip(names, built):
            if not ok:
                print("%s: %s does not build here: left out" % (self.name, n))
                continue
            start = time.time()
            good = self.run_test(n, self.dir, self.dir, slow)
            self.tests[n] = time.time() - start
            if not good and self.tests.pop(n) >= slow:
                print("%s: %s takes more than %g s: left out" % (self.name, n, slow))
            elif not good:
                print("%s: %s fails on the library as it is: left out" % (self.name, n))
        print("%s: %d tests, %.1f s" % (self.name, len(self.tests),
              sum(self.tests.values())))
        sys.stdout.flush()
        if not self.tests:
            sys.exit(1)

    def object_of(self, f):
        return "%s/%s.o" % (self.dir, f[:-2])

    def build_object(self, f):
        dfile = self.object_of(f) + ".d"
        must([CC] + self.flags + includes(top) +
             ["-MMD", "-MF", dfile, "-c", "%s/lib/%s" % (top, f), "-o", self.object_of(f)])
        self.deps[f] = dependencies(dfile)

    def link_command(self, objects, out):
        return [CC, "-shared"] + SANITIZE[self.name] + objects + self.libs + \
            ["-o", out + "/libkvarena.so"]

    def build_helper(self, h, root, out):
        """What tests share has the library's headers in it, too."""
        return run([CC] + self.flags + pkg(["--cflags"]) + includes(root) +
                   ["-I%s/tests" % top, "-MMD", "-MF", "%s/%s.d" % (out, h), "-c",
                    "%s/tests/%s.c" % (top, h), "-o", "%s/%s.o" % (out, h)]).returncode

    def build_test(self, n, root=None, out=None):
        root, out = root or top, out or self.dir
        objects = [o if os.path.exists(o) else "%s/%s.o" % (self.dir, h)
                   for h in self.helpers for o in ["%s/%s.o" % (out, h)]]
        if n.startswith("fuzz-"):
            sources = ["%s/fuzz/%s.c" % (top, n), top + "/fuzz/replay.c",
                       top + "/fuzz/sanitizers.c"]
            objects = [o for o in objects if re.search(r"kv(book|source)\.o", o)]
        else:
            sources = ["%s/tests/%s.c" % (top, n)]
            if n == "t-adapters":
                sources.append(top + "/tests/t-adapters-other.c")
        dfile = "%s/%s.d" % (out, n)
        r = run([CC] + self.flags + pkg(["--cflags"]) + includes(root) +
                ["-I%s/tests" % top, "-MMD", "-MF", dfile] + sources + objects +
                self.library + pkg(["--libs"]) + self.libs +
                ["-o", "%s/%s" % (out, n)])
        if out == self.dir:
            if r.returncode:
                print(r.stdout)
            else:
                self.deps[n] = dependencies(dfile)
        return r.returncode == 0

    def run_test(self, n, program_dir, library_dir, timeout, **more):
        env = dict(os.environ, **more, LD_LIBRARY_PATH=library_dir, srcdir=top + "/fuzz",
                   ASAN_OPTIONS="detect_leaks=1", TSAN_OPTIONS="halt_on_error=1",
                   CK_DEFAULT_TIMEOUT="30")
        env.pop("KVARENA_CONF", None)
        p = subprocess.Popen([os.path.join(program_dir, n)], env=env, cwd=program_dir,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True,
                             preexec_fn=no_core)
        try:
            return p.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            if p.returncode != 0:
                end_session(p.pid)
            p.wait()

    def preprocessed(self, n, root):
        """A test as the compiler sees it, with the headers under root."""
        f = "%s/%s/%s.c" % (top, "fuzz" if n.startswith("fuzz-") else "tests", n)
        return run([CC, "-E", "-P"] + self.flags + pkg(["--cflags"]) + includes(root) +
                   ["-I%s/tests" % top, f]).stdout

    def rebuild(self, root, changed):
        """Build what differs, under root, given the base names of changed files. None,
        or why there is nothing to test."""
        objects, differs = [], False
        for f in lib_sources():
            if f not in changed and not self.deps[f] & changed:
                objects.append(self.object_of(f))
                continue
            new = "%s/%s.o" % (root, f[:-2])
            # By the same name, as asserts have it.
            if run([CC] + self.flags + includes(root) +
                   ["-ffile-prefix-map=%s=%s" % (root, top), "-c",
                    "%s/lib/%s" % (root, f), "-o", new]).returncode:
                return "does not compile"
            differs = differs or code_of(new) != code_of(self.object_of(f))
            objects.append(new)
        if not differs and not any(self.preprocessed(n, root) != self.preprocessed(n, top)
                                   for n in self.tests if self.deps[n] & changed):
            return "same code"
        if run(self.link_command(objects, root)).returncode:
            return "does not link"
        return None

    def first_failure(self, root, changed, names):
        """The first of these tests that fails on what was rebuilt, or None. Those that
        include a changed header are built anew."""
        headers = {f for f in changed if f.endswith(".h")}
        for h in self.helpers:
            if self.deps[h] & headers and self.build_helper(h, root, root):
                return h + " (does not compile)"
        for n in names:
            where = self.dir
            if self.deps[n] & headers:
                where = root
                if not self.build_test(n, root, root):
                    return n + " (does not compile)"
            timeout = 10 + 6 * self.tests[n]
            if self.run_test(n, where, root, timeout):
                continue
            # A busy machine fails tests too: the library as it is must pass now.
            if self.run_test(n, self.dir, self.dir, timeout):
                return n
            print("%s: %s failed without a change: not counted" % (self.name, n))
        return None


# What a process has reached counts also when it ends by abort or _exit.
FLUSH = """
_Noreturn void __real__exit(int status);
_Noreturn void __real_abort(void);
void __gcov_dump(void);
void __wrap__exit(int status) { __gcov_dump(); __real__exit(status); }
void __wrap_abort(void) { __gcov_dump(); __real_abort(); }
"""


class Reach(Stage):
    """Which tests come to which line of the library."""

    def __init__(self, work):
        self.lines = collections.defaultdict(lambda: collections.defaultdict(set))
        super().__init__("reach", work)

    def prepare(self):
        flush = self.dir + "/flush.o"
        must([CC, "-w", "-xc", "-", "-c", "-o", flush], input=FLUSH)
        # One program, for each shared object would count for itself.
        self.library = [self.object_of(f) for f in lib_sources()] + \
            [flush, "-Wl,--wrap=_exit,--wrap=abort"]

    def run_test(self, n, program_dir, library_dir, timeout, **more):
        counts = "%s/counts-%s" % (self.dir, n)
        good = super().run_test(n, program_dir, library_dir, timeout, GCOV_PREFIX=counts)
        for where, _, names in os.walk(counts):
            for name in names:
                self.enter(n, os.path.join(where, name))
        shutil.rmtree(counts, ignore_errors=True)
        return good

    def enter(self, n, gcda):
        note = gcda[:-5] + ".gcno"
        os.symlink(os.path.join(self.dir, os.path.basename(note)), note)
        told = run(["gcov", "-j", "-t", gcda]).stdout
        for unit in told.split("\n"):
            if not unit.startswith("{"):
                continue
            for file in json.loads(unit)["files"]:
                base = os.path.basename(file["file"])
                for line in file["lines"]:
                    tests = self.lines[base][line["line_number"]]
                    if line["count"]:
                        tests.add(n)

    def tests_of(self, path, line):
        """The tests that come to this line; None: none does, or one can not tell."""
        known = self.lines.get(os.path.basename(path))
        text = open(os.path.join(top, path)).read().split("\n")
        # What has no code of its own belongs to the lines above it.
        while known and line > 0 and line not in known:
            if not text[line - 1].strip() or text[line - 1][0] in "}#":
                return None
            line -= 1
        return known.get(line) or None if known else None
