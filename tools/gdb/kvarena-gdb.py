# kvarena-gdb.py -- arenas, their blocks, and who owns an address, in gdb
#
# SPDX-License-Identifier: BSD-2-Clause
#
# (gdb) source .../kvarena-gdb.py
# (gdb) help kvarena
#
# Works on a process and on a core: it reads what the library keeps, calls
# nothing, takes no lock and changes nothing. It needs the library's debugging
# information.
"""Commands of kvarena: arenas, blocks, owner."""

import gdb

KINDS = 15        # the low bits of a kv_arena_t *
SHARED = 4 | 8
MANY = 1 << 20    # no list is longer, unless it was damaged


def static(name, member):
    """A static variable of the library: the one of this name that has the member."""
    for symbol in gdb.lookup_static_symbols(name):
        kind = symbol.type.strip_typedefs()
        if kind.code == gdb.TYPE_CODE_PTR:
            kind = kind.target().strip_typedefs()
        if kind.code == gdb.TYPE_CODE_STRUCT and \
                member in (field.name for field in kind.fields()):
            return symbol.value()
    raise gdb.GdbError("no debugging information of libkvarena here: is it "
                       "loaded, and is its -dbgsym package installed?")


def follow(first, link="next"):
    """The structures of a list, of which first is a pointer."""
    for _ in range(MANY):
        if not int(first):
            return
        yield first.dereference()
        first = first[link]
    raise gdb.GdbError("a list without an end: it was damaged")


def human(size):
    unit = 0
    while size >= 1000 and unit < 5:
        size /= 1024
        unit += 1
    return "%.1f %s" % (size, ("B", "KiB", "MiB", "GiB", "TiB", "PiB")[unit]) \
        if unit else "%d B" % size


def span(start, end, address):
    return int(start) <= address < int(end)


class Block:
    """A block; counted: the bytes of it that are the arena's."""

    def __init__(self, value, counted=None):
        self.base = int(value["base"])
        self.capacity = int(value["capacity"])
        self.counted = int(value["size"]) if counted is None else counted
        self.own = bool(value["own"])
        self.notes = [note for note, member in (
            ("the caller's buffer", "borrowed"), ("sealed", "sealed"),
            ("guarded", "guarded"), ("misplaced", "misplaced")) if value[member]]
        place = int(value["place"])
        if place:
            self.notes.append("interleaved" if place == 1 else "%s %d" % (
                "bound to node" if place & 1 else "for node", (place - 2) // 2))

    def has(self, address):
        return span(self.base, self.base + self.capacity, address)


class Arena:
    def __init__(self, value):
        self.value = value
        self.address = int(value.address)
        self.kind = int(value["front"]["window"]["bump"]["key"]) & KINDS
        self.public = self.address + self.kind

    def name(self):
        extras = self.value["extras"]
        name = extras["name"].string("utf-8", "replace") if int(extras) else ""
        # A name is the program's: keep the terminal safe from it.
        return "".join(c if c.isprintable() else "?" for c in name) or "?"

    def parent(self):
        parent = self.value["parent"]
        return Arena(parent.dereference()) if int(parent) else None

    def path(self):
        parent = self.parent()
        return (parent.path() + "/" if parent else "") + self.name()

    def fronts(self):
        """One for each node in an arena that places memory where threads run."""
        yield self.value["front"]
        more = self.value["fronts"]
        if int(more):
            for i in range(int(gdb.parse_and_eval("linux_nodes::nodes")) - 1):
                yield more[i]

    def shards(self):
        team = self.value["team"]
        return follow(team["shards"]) if int(team) else iter(())

    def windows(self):
        for front in self.fronts():
            yield front["window"]
        for shard in self.shards():
            yield shard["window"]

    def counted(self, block):
        """Bytes of a block that are counted; what its front has used since the
        library looked last is counted now."""
        size, step = int(block["size"]), int(self.value["setup"]["step"])
        for front in self.fronts():
            if front["block"] != block.address or not self.value["setup"]["late"]:
                continue
            used = int(front["window"]["bump"]["cur"])
            newest = front["newest"]
            if int(newest) and int(newest["limit"]) == used:
                used = int(newest["bump"]["cur"])
            used -= int(block["base"])
            if used > size:
                size += (used - size + step - 1) // step * step
        return min(size, int(block["capacity"]))

    def held(self):
        late = sum(self.counted(block) - int(block["size"])
                   for block in follow(self.value["blocks"]))
        return int(self.value["bytes"]["reserved"]) + late

    def peak(self):
        return max(int(self.value["bytes"]["peak"]), self.held())

    def free(self, block):
        """Bytes of a block that some window still has to hand out; None: no
        window looks at it."""
        rooms = [int(window["limit"]) - int(window["bump"]["cur"])
                 for window in self.windows()
                 if block.has(int(window["start"])) or block.has(int(window["limit"]) - 1)]
        return sum(rooms) if rooms else None

    def blocks(self):
        """Each block, what it is used for and what of it is free, the newest
        first; then spares."""
        for value in follow(self.value["blocks"]):
            block = Block(value, self.counted(value))
            free = self.free(block)
            yield block, ("one allocation" if block.own else
                          "left" if free is None else "current"), free or 0
        for value in follow(self.value["spares"]):
            block = Block(value)
            yield block, "spare", block.capacity

    def tells(self, use, address):
        """What an address in a block of this arena is."""
        if use == "spare":
            return "nothing lives there, the block is kept for later"
        for window in self.windows():
            cur = window["bump"]["cur"]
            if span(cur, window["limit"], address) or \
                    span(window["packed"], window["strip_end"], address):
                return "free"
            if span(window["start"], cur, address):
                return "handed out"
        if use == "one allocation":
            return "handed out"
        return "handed out, or lost at the end of a window"


def arenas():
    """All arenas that live, the oldest first."""
    registry = static("registry", "arenas")
    return [Arena(value) for value in follow(registry["arenas"])][::-1]


def family(among, parent=None, depth=0):
    above = parent.address if parent else 0
    for arena in among:
        if int(arena.value["parent"]) == above:
            yield arena, depth
            yield from family(among, arena, depth + 1)


def evaluate(expression):
    try:
        value = gdb.parse_and_eval(expression)
        if value.type.code in (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_ARRAY):
            value = value.address
        return int(value) & (1 << 64) - 1
    except (gdb.error, ValueError) as error:
        raise gdb.GdbError(str(error))


def find(what):
    """The arenas of a name or path, or the one that an expression points to."""
    among = arenas()
    found = [a for a in among if what in (a.name(), a.path())]
    if not found:
        address = evaluate(what)
        found = [a for a in among if a.address == address & ~KINDS]
    if not found:
        raise gdb.GdbError("no arena lives there")
    return found


class Command(gdb.Command):
    """Arenas of kvarena: what lives, what it holds, and who owns an address."""

    def __init__(self, name="kvarena", **more):
        super().__init__(name, gdb.COMMAND_DATA, **more)

    def invoke(self, argument, from_tty):
        try:
            self.run(argument.strip())
        except gdb.MemoryError as error:
            raise gdb.GdbError("what the library keeps can not be read: %s" % error)

    def run(self, argument):
        raise gdb.GdbError("one of: kvarena arenas, kvarena blocks [ARENA], "
                           "kvarena owner ADDRESS")


class Arenas(Command):
    """List the arenas that live, children under their parents.
The first column is what programs know an arena by, a kv_arena_t *."""

    def run(self, argument):
        print("%-18s  %9s  %9s  %6s  %6s  %s" % (
            "ARENA", "HELD", "PEAK", "BLOCKS", "SHARDS", "NAME"))
        for arena, depth in family(arenas()):
            print("%#018x  %9s  %9s  %6d  %6s  %s%s" % (
                arena.public, human(arena.held()), human(arena.peak()),
                int(arena.value["nblocks"]) + int(arena.value["nspares"]),
                sum(1 for _ in arena.shards()) if arena.kind & SHARED else "-",
                "  " * depth, arena.name()))


class Blocks(Command):
    """List the blocks of an arena, or of all: kvarena blocks [ARENA].
ARENA is a name, a path as root/child, or an expression. COUNTED of its SIZE is
what the arena holds by its statistics, FREE what is still to be handed out."""

    def run(self, argument):
        for arena in find(argument) if argument else arenas():
            print("%s (%#x)" % (arena.path(), arena.public))
            print("%-18s  %9s  %9s  %9s  %s" % (
                "BLOCK", "SIZE", "COUNTED", "FREE", "USE"))
            for block, use, free in arena.blocks():
                print("%#018x  %9s  %9s  %9s  %s" % (
                    block.base, human(block.capacity), human(block.counted),
                    human(free), ", ".join([use] + block.notes)))


class Owner(Command):
    """Tell which arena an address lies in: kvarena owner ADDRESS.
ADDRESS is an expression, as a pointer of the program."""

    def run(self, argument):
        if not argument:
            raise gdb.GdbError("an address, or an expression that gives one")
        address = evaluate(argument)
        print("%#x: %s" % (address, self.tell(address)))

    @staticmethod
    def tell(address):
        for arena in arenas():
            if span(arena.address, arena.address + arena.value.type.sizeof, address):
                return "arena %s itself" % arena.path()
            for block, use, _ in arena.blocks():
                if block.has(address):
                    return "arena %s, %d bytes into its block %#x (%s); %s" % (
                        arena.path(), address - block.base, block.base, use,
                        arena.tells(use, address))
        for block in cached():
            if block.has(address):
                return "no arena; block %#x is warm in a cache" % block.base
        return "no arena"


def cached():
    """The warm blocks of all caches."""
    for cache in follow(static("caches", "pools")):
        pools = cache["pools"]
        for i in range(pools.type.range()[1] + 1):
            if int(pools[i]):
                warm = pools[i]["warm"]
                for k in range(warm.type.range()[1] + 1):
                    yield from map(Block, follow(warm[k]["front"]))


Command(prefix=True)
Arenas("kvarena arenas")
Blocks("kvarena blocks")
Owner("kvarena owner", completer_class=gdb.COMPLETE_EXPRESSION)
