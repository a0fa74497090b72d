/* t-hpp.cc -- kv_arena.hpp: ownership, construction, containers, std::pmr
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * t-hpp.sh compiles and runs it once for each compiler and standard.
 */
#include <kv_arena.hpp>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

/* MemorySanitizer can not see into the compiled part of the standard library:
 * trees, lists and hash tables stay out then. */
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define WITHOUT_TREES 1
#endif
#endif

static int checks;
static int failures;

#define is_true(x) do {							\
	checks++;							\
	if (!(x)) {							\
		failures++;						\
		std::printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #x); \
	}								\
} while (0)

template <class E, class F>
static bool
throws(F f)
{
	try {
		f();
	} catch (const E &) {
		return true;
	}
	return false;
}

#define is_thrown(E, expression)					\
	is_true(throws<E>([&] { (void)(expression); }))

static bool
is_aligned(const void *p, std::size_t alignment)
{
	return reinterpret_cast<std::uintptr_t>(p) % alignment == 0;
}

static kv_arena_config_t
small_config(std::size_t limit)
{
	kv_arena_config_t c = KV_ARENA_DEFAULT_CONFIG;

	c.block_size = KV_ARENA_SMALL_BLOCK_SIZE;
	c.memory_limit = limit;
	return c;
}

/* Writes its number down when it goes. */
struct witness {
	witness(std::vector<int> &to, int n) : book(to), number(n)
	{
		if (n < 0)
			throw std::runtime_error("no witness");
	}
	~witness() { book.push_back(number); }

	std::vector<int> &book;
	int number;
};

struct point {
	int x, y;
};

struct alignas(64) wide {
	char bytes[64];
};

static void
an_arena_owns_and_moves()
{
	kv::arena a;
	kv_arena_t *raw = a.get();

	is_true(raw != nullptr);
	is_true(std::is_nothrow_move_constructible<kv::arena>::value);
	is_true(!std::is_copy_constructible<kv::arena>::value);
	is_true(!std::is_copy_assignable<kv::arena>::value);

	kv::arena b(std::move(a));
	is_true(a.get() == nullptr && b.get() == raw);

	kv::arena c(4096);
	kv_arena_t *other = c.get();
	c = std::move(b);
	is_true(c.get() == raw && b.get() == nullptr && raw != other);

	b = kv::arena(small_config(0));
	swap(b, c);
	is_true(b.get() == raw);

	kv::arena d = kv::arena::own(b.release());
	is_true(b.get() == nullptr && d.get() == raw);
	is_true(d.allocate(8) != nullptr);
	is_thrown(std::bad_alloc, kv::arena::own(nullptr));
}

static void
an_arena_lives_in_a_buffer()
{
	alignas(16) char buffer[8192];
	kv::arena a(buffer, sizeof buffer);
	char *p = static_cast<char *>(a.allocate(100));

	is_true(p >= buffer && p < buffer + sizeof buffer);
	is_thrown(std::bad_alloc, kv::arena(buffer, std::size_t(16)));
}

static void
a_bad_config_throws()
{
	kv_arena_config_t c = KV_ARENA_DEFAULT_CONFIG;

	c.thread_mode = static_cast<kv_arena_thread_mode_t>(1);
	is_true(kv::arena(c).get() != nullptr);
	c.reserved[0] = &c;
	is_thrown(std::bad_alloc, kv::arena(c));
}

static void
allocate_aligns_and_throws()
{
	kv::arena a(small_config(65536));

	is_true(is_aligned(a.allocate(1), 8));
	is_true(is_aligned(a.allocate(100, 64), 64));
	is_true(is_aligned(a.allocate(100, 4096), 4096));
	is_true(a.allocate(0) != a.allocate(0));
	is_thrown(std::bad_alloc, a.allocate(1 << 20));
	is_thrown(std::bad_alloc, a.allocate(static_cast<std::size_t>(-1)));
	is_true(a.allocate(16) != nullptr);
}

static void
create_constructs()
{
	kv::arena a;
	point *p = a.create<point>(point{ 3, 4 });
	wide *w = a.create<wide>();

	is_true(p->x == 3 && p->y == 4);
	is_true(is_aligned(w, 64));
	is_true(kv_arena_owns(a.get(), p));

	/* Forwarding: something that can only be moved. */
	std::unique_ptr<int> only(new int(7));
	std::unique_ptr<int> *held =
		a.create<std::unique_ptr<int>>(std::move(only));
	is_true(!only && **held == 7);
}

static void
destructors_run_last_in_first_out()
{
	std::vector<int> book;
	const std::vector<int> down{ 3, 2, 1 }, both{ 3, 2, 1, 4 };

	{
		kv::arena a;

		for (int i = 1; i <= 3; i++)
			a.create<witness>(book, i);
		is_true(book.empty());
		a.reset();
		is_true(book == down);
		a.create<witness>(book, 4);
	}
	is_true(book == both);
}

static void
a_trivial_type_registers_nothing()
{
	kv_arena_config_t c = KV_ARENA_DEFAULT_CONFIG;
	kv::arena a(c), b(c);

	a.create<point>();
	b.allocate(sizeof(point), alignof(point));
	is_true(kv_arena_total_allocated(a.get()) ==
		kv_arena_total_allocated(b.get()));
}

static void
a_throwing_constructor_leaves_nothing()
{
	std::vector<int> book;
	kv::arena a;

	a.create<witness>(book, 1);
	std::size_t before = kv_arena_total_allocated(a.get());
	is_thrown(std::runtime_error, a.create<witness>(book, -1));
	is_true(kv_arena_total_allocated(a.get()) == before);
	is_true(book.empty());
	a.reset();
	is_true(book == std::vector<int>{ 1 });
}

/* Somewhere in the loop a defer finds no memory after its object was made. */
static void
a_destructor_that_can_not_be_registered_runs_at_once()
{
	std::vector<int> book;
	int made = 0;

	{
		kv::arena a(small_config(32768));

		is_true(throws<std::bad_alloc>([&] {
			for (; made < 32768; made++)
				a.create<witness>(book, made);
		}));
		is_true(made > 10);
		is_true(book.size() <= 1);
		book.clear();
	}
	is_true(static_cast<int>(book.size()) == made);
	is_true(book.front() == made - 1 && book.back() == 0);
}

static void
arrays_are_value_initialised()
{
	kv::arena a;

	for (int round = 0; round < 2; round++) {
		point *p = a.create_array<point>(100);
		int sum = 0;

		for (int i = 0; i < 100; i++)
			sum |= p[i].x | p[i].y;
		is_true(sum == 0);
		std::memset(static_cast<void *>(p), 0xff, 100 * sizeof *p);
		a.reset();
	}
	is_true(is_aligned(a.create_array<wide>(3), 64));
	is_true(a.create_array<point>(0) != nullptr);
	is_thrown(std::bad_alloc,
		a.create_array<point>(static_cast<std::size_t>(-1) / 2));
}

static void
a_scope_rewinds()
{
	std::vector<int> book;
	kv::arena a;

	a.create<witness>(book, 1);
	std::size_t before = kv_arena_total_allocated(a.get());
	{
		kv::scope outer(a);

		a.create<witness>(book, 2);
		{
			kv::scope inner(a.get());

			a.create<witness>(book, 3);
			a.allocate(100000);
		}
		is_true(book == std::vector<int>{ 3 });
		a.create<witness>(book, 4);
	}
	is_true((book == std::vector<int>{ 3, 4, 2 }));
	/* The mark itself may stay. */
	is_true(kv_arena_total_allocated(a.get()) <= before + 64);

	is_thrown(std::runtime_error, ([&] {
		kv::scope s(a);

		a.create<witness>(book, 5);
		a.create<witness>(book, -1);
	}()));
	is_true(book.back() == 5);

	kv_arena_config_t c = KV_ARENA_DEFAULT_CONFIG;
	c.thread_mode = KV_ARENA_THREAD_SAFE;
	kv::arena shared(c);
	is_thrown(std::bad_alloc, kv::scope(shared));
}

template <class T>
using in_arena = kv::allocator<T>;

static void
containers_live_in_an_arena()
{
#ifndef WITHOUT_TREES
	using string = std::basic_string<char, std::char_traits<char>,
		in_arena<char>>;
	using pair = std::pair<const int, string>;
	kv::arena a;
	in_arena<int> where(a);
	std::vector<int, in_arena<int>> v(where);
	std::list<int, in_arena<int>> l(where);
	std::map<int, string, std::less<int>, in_arena<pair>> m{
		in_arena<pair>(where) };
	std::unordered_map<int, int, std::hash<int>, std::equal_to<int>,
		in_arena<std::pair<const int, int>>> u(8, std::hash<int>(),
		std::equal_to<int>(), in_arena<std::pair<const int, int>>(where));

	for (int i = 0; i < 1000; i++) {
		v.push_back(i);
		l.push_front(i);
		m.emplace(i, string("a text that is too long to be kept inside",
			in_arena<char>(where)));
		u[i] = -i;
	}
	is_true(v.size() == 1000 && v[999] == 999);
	is_true(l.front() == 999 && l.back() == 0);
	is_true(m.at(500)[0] == 'a' && u.at(500) == -500);
	is_true(kv_arena_owns(a.get(), v.data()));
	is_true(kv_arena_owns(a.get(), &l.front()));
	is_true(kv_arena_owns(a.get(), m.at(7).data()));
	m.erase(500);
	l.clear();
	is_true(m.size() == 999 && l.empty());

	auto shared = std::allocate_shared<point>(in_arena<point>(where),
		point{ 1, 2 });
	is_true(kv_arena_owns(a.get(), shared.get()) && shared->y == 2);
#endif
}

static void
allocators_are_equal_by_arena()
{
	kv::arena a, b;
	kv::allocator<int> x(a), y(a.get()), z(b);
	kv::allocator<char> other(x);

	is_true(x == y && x != z && other == x && !(other == z));
	is_true(other.get() == a.get());
	is_true(is_aligned(kv::allocator<wide>(a).allocate(3), 64));
	is_true(x.allocate(0) != nullptr);
	is_thrown(std::bad_alloc,
		x.allocate(static_cast<std::size_t>(-1) / sizeof(int) + 1));

	/* A container keeps its arena: elements move, not memory. */
	std::vector<int, kv::allocator<int>> v(100, 1, x), w(z);
	w = std::move(v);
	is_true(w.size() == 100 && w[99] == 1);
	is_true(kv_arena_owns(b.get(), w.data()));
}

static void
the_latest_allocation_comes_back()
{
	kv::arena a;
	kv::allocator<wide> where(a);
	wide *first = where.allocate(1);
	std::size_t before = kv_arena_total_allocated(a.get());

	for (int i = 0; i < 1000; i++)
		where.deallocate(where.allocate(4), 4);
	is_true(kv_arena_total_allocated(a.get()) <= before + 64);
	where.deallocate(nullptr, 4);
	is_true(first != nullptr);
}

#if __cplusplus >= 201703L

static void
pmr_containers_live_in_an_arena()
{
#ifndef WITHOUT_TREES
	kv::arena a;
	kv::memory_resource r(a);
	std::pmr::vector<std::pmr::string> v(&r);
	std::pmr::map<int, std::pmr::string> m(&r);

	for (int i = 0; i < 1000; i++) {
		v.emplace_back("a text that is too long to be kept inside");
		m.emplace(i, "another text that is too long for that");
	}
	is_true(kv_arena_owns(a.get(), v.data()));
	is_true(kv_arena_owns(a.get(), v[999].data()));
	is_true(kv_arena_owns(a.get(), m.at(1).data()));
	is_true(m.at(999)[1] == 'n');
	is_true(r.get() == a.get());
#endif
}

static void
pmr_resources_are_equal_by_arena()
{
	kv::arena a, b;
	kv::memory_resource r(a), same(a.get()), other(b);

	is_true(r == same && r != other);
	is_true(r != *std::pmr::new_delete_resource());
	is_true(is_aligned(r.allocate(10, 256), 256));
	is_true(r.allocate(0) != r.allocate(0));
	volatile std::size_t most = static_cast<std::size_t>(-1);
	is_thrown(std::bad_alloc, r.allocate(most - 64));
}

/* What std::pmr::monotonic_buffer_resource never does. */
static void
pmr_deallocate_gives_the_latest_back()
{
	kv::arena a;
	kv::memory_resource r(a);
	std::size_t before = kv_arena_total_allocated(a.get());

	for (int i = 0; i < 10000; i++) {
		std::pmr::string s(200, 'x', &r);

		is_true(s.back() == 'x');
	}
	is_true(kv_arena_total_allocated(a.get()) <= before + 1024);

	for (std::size_t alignment = 1; alignment <= 128; alignment *= 2) {
		void *p = r.allocate(100, alignment);
		before = kv_arena_total_allocated(a.get());
		r.deallocate(p, 100, alignment);
		is_true(kv_arena_total_allocated(a.get()) < before);
	}
}

#endif

int
main()
{
	an_arena_owns_and_moves();
	an_arena_lives_in_a_buffer();
	a_bad_config_throws();
	allocate_aligns_and_throws();
	create_constructs();
	destructors_run_last_in_first_out();
	a_trivial_type_registers_nothing();
	a_throwing_constructor_leaves_nothing();
	a_destructor_that_can_not_be_registered_runs_at_once();
	arrays_are_value_initialised();
	a_scope_rewinds();
	containers_live_in_an_arena();
	allocators_are_equal_by_arena();
	the_latest_allocation_comes_back();
#if __cplusplus >= 201703L
	pmr_containers_live_in_an_arena();
	pmr_resources_are_equal_by_arena();
	pmr_deallocate_gives_the_latest_back();
#endif
	std::printf("C++ %ld: Checks: %d, Failures: %d, Errors: 0\n",
		static_cast<long>(__cplusplus), checks, failures);
	return failures != 0;
}
