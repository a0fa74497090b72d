/* kv_arena.hpp [7] -- kvarena for C++: ownership, containers, std::pmr
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 *	kv::arena a;
 *	point *p = a.create<point>(1, 2);
 *	std::vector<int, kv::allocator<int>> v{kv::allocator<int>(a)};
 *	{
 *		kv::scope s(a);			ends what is made in here
 *		...
 *	}
 *	a.reset();
 *
 * and from C++17 on
 *
 *	kv::memory_resource r(a);
 *	std::pmr::string text("...", &r);
 *
 * Header only, C++11 and later; no exceptions but std::bad_alloc and what the
 * caller's constructors throw. The functions of kv_arena.h take a.get(). Threads
 * as there: an arena made with KV_ARENA_THREAD_SAFE may be shared, and so may its
 * allocators and memory resources.
 */
#ifndef KV_ARENA_HPP
#define KV_ARENA_HPP

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include <kv_arena.h>

#if __cplusplus >= 201703L
#include <memory_resource>
#endif

namespace kv {

namespace detail {

/* Both agree on what a size of 0 is: one byte. */
inline void *
take(kv_arena_t *a, std::size_t size, std::size_t alignment)
{
	std::size_t n = size ? size : 1;
	void *p = alignment <= KV_ARENA_ALIGNMENT ? kv_arena_alloc(a, n) :
		kv_arena_alloc_aligned(a, n, alignment);

	if (!p)
		throw std::bad_alloc();
	return p;
}

/* The latest allocation makes room again; any other stays until reset. */
inline void
give_back(kv_arena_t *a, void *p, std::size_t size) noexcept
{
	if (p)
		(void)kv_arena_realloc(a, p, size ? size : 1, 0);
}

template <class T>
void
destruct(void *p)
{
	static_cast<T *>(p)->~T();
}

} /* namespace detail */

/* An arena that is destroyed with the object. Moving hands it over; a moved-from
 * arena owns nothing, and nothing but assignment and get() may be done with it. */
class arena {
public:
	/* std::bad_alloc: no memory, or what kv_arena_create_ex refuses. */
	explicit arena(std::size_t block_size = 0)
		: raw_(made(kv_arena_create(block_size))) {}
	explicit arena(const kv_arena_config_t &config)
		: raw_(made(kv_arena_create_ex(&config))) {}

	/* In the caller's buffer, which must outlive the arena. */
	arena(void *buffer, std::size_t size,
		const kv_arena_config_t *config = nullptr)
		: raw_(made(kv_arena_create_in(buffer, size, config))) {}

	/* Take over an arena of the C interface; std::bad_alloc if it is NULL. */
	static arena own(kv_arena_t *raw)
	{
		arena owner((owned(made(raw))));

		return owner;
	}

	arena(arena &&from) noexcept : raw_(from.release()) {}
	arena &operator=(arena &&from) noexcept
	{
		arena(std::move(from)).swap(*this);
		return *this;
	}
	arena(const arena &) = delete;
	arena &operator=(const arena &) = delete;
	~arena() { kv_arena_destroy(raw_); }

	void swap(arena &other) noexcept { std::swap(raw_, other.raw_); }
	kv_arena_t *get() const noexcept { return raw_; }

	/* Give up the ownership. */
	kv_arena_t *release() noexcept
	{
		kv_arena_t *raw = raw_;

		raw_ = nullptr;
		return raw;
	}

	/* Return raw memory, or throw std::bad_alloc. A size of 0 is 1. */
	void *allocate(std::size_t size,
		std::size_t alignment = KV_ARENA_ALIGNMENT)
	{
		return detail::take(raw_, size, alignment);
	}

	/* Construct a T that lives until reset, rewind past it, or the end of the
	 * arena. Its destructor then runs, last in first out, unless it is trivial:
	 * such a T costs no more than its bytes. If the constructor throws, nothing
	 * stays behind. */
	template <class T, class... Args>
	T *create(Args &&...args)
	{
		struct room {
			kv_arena_t *a;
			void *p;
			~room() { detail::give_back(a, p, sizeof(T)); }
		} r = { raw_, detail::take(raw_, sizeof(T), alignof(T)) };
		T *object = ::new (r.p) T(std::forward<Args>(args)...);

		destroy_later(object, std::is_trivially_destructible<T>());
		r.p = nullptr;
		return object;
	}

	/* Construct n value-initialised T in a row; T must have a trivial destructor.
	 * std::bad_alloc: no memory, or n * sizeof(T) overflows. */
	template <class T>
	T *create_array(std::size_t n)
	{
		static_assert(std::is_trivially_destructible<T>::value,
			"create_array registers no destructors");
		void *p = kv_arena_array(raw_, n ? n : 1, sizeof(T), alignof(T));
		T *first = static_cast<T *>(p);

		if (!p)
			throw std::bad_alloc();
		for (std::size_t i = 0; i < n; i++)
			::new (static_cast<void *>(first + i)) T();
		return first;
	}

	/* End everything; the blocks stay warm. */
	void reset() noexcept { kv_arena_reset(raw_); }

private:
	struct owned {
		explicit owned(kv_arena_t *a) noexcept : raw(a) {}
		kv_arena_t *raw;
	};
	explicit arena(owned from) noexcept : raw_(from.raw) {}

	static kv_arena_t *made(kv_arena_t *raw)
	{
		if (!raw)
			throw std::bad_alloc();
		return raw;
	}

	template <class T>
	void destroy_later(T *, std::true_type) noexcept {}

	template <class T>
	void destroy_later(T *object, std::false_type)
	{
		if (kv_arena_defer(raw_, detail::destruct<T>, object) == 0)
			return;
		object->~T();
		throw std::bad_alloc();
	}

	kv_arena_t *raw_;
};

inline void
swap(arena &a, arena &b) noexcept
{
	a.swap(b);
}

/* Marks an arena, and rewinds it when the scope is left, also by an exception.
 * Scopes nest as braces do. std::bad_alloc: no memory for the mark, or an arena
 * of KV_ARENA_THREAD_SAFE, which has none. */
class scope {
public:
	explicit scope(kv_arena_t *a) : inner_{ a, kv_arena_mark(a) }
	{
		if (!inner_.mark.serial)
			throw std::bad_alloc();
	}
	explicit scope(arena &a) : scope(a.get()) {}
	scope(const scope &) = delete;
	scope &operator=(const scope &) = delete;
	~scope() { kv_arena_scope_end(&inner_); }

private:
	struct kv_arena_scope inner_;
};

/* For the containers of the standard library. Two are equal if they serve from
 * the same arena. As with std::pmr, a container keeps its arena when it is
 * assigned to: moving between arenas moves element by element, so that no element
 * outlives its memory by accident. Deallocating the latest allocation makes its
 * room usable again; other memory waits for the reset. */
template <class T>
class allocator {
public:
	using value_type = T;
	using is_always_equal = std::false_type;

	allocator(kv_arena_t *a) noexcept : raw_(a) {}
	allocator(arena &a) noexcept : raw_(a.get()) {}
	template <class U>
	allocator(const allocator<U> &other) noexcept : raw_(other.get()) {}

	T *allocate(std::size_t n)
	{
		if (n > static_cast<std::size_t>(-1) / sizeof(T))
			throw std::bad_alloc();
		return static_cast<T *>(
			detail::take(raw_, n * sizeof(T), alignof(T)));
	}

	void deallocate(T *p, std::size_t n) noexcept
	{
		detail::give_back(raw_, p, n * sizeof(T));
	}

	kv_arena_t *get() const noexcept { return raw_; }

private:
	kv_arena_t *raw_;
};

template <class T, class U>
bool
operator==(const allocator<T> &a, const allocator<U> &b) noexcept
{
	return a.get() == b.get();
}

template <class T, class U>
bool
operator!=(const allocator<T> &a, const allocator<U> &b) noexcept
{
	return !(a == b);
}

#if __cplusplus >= 201703L

/* An arena as a std::pmr::memory_resource. It does not own the arena. Unlike
 * std::pmr::monotonic_buffer_resource it makes use of deallocate: a vector or
 * string that grows at the end of the arena leaves nothing behind. */
class memory_resource : public std::pmr::memory_resource {
public:
	explicit memory_resource(kv_arena_t *a) noexcept : raw_(a) {}
	explicit memory_resource(arena &a) noexcept : raw_(a.get()) {}

	kv_arena_t *get() const noexcept { return raw_; }

protected:
	void *do_allocate(std::size_t size, std::size_t alignment) override
	{
		return detail::take(raw_, size, alignment);
	}

	void do_deallocate(void *p, std::size_t size, std::size_t) override
	{
		detail::give_back(raw_, p, size);
	}

	bool do_is_equal(const std::pmr::memory_resource &other)
		const noexcept override
	{
		const memory_resource *o =
			dynamic_cast<const memory_resource *>(&other);

		return o && o->raw_ == raw_;
	}

private:
	kv_arena_t *raw_;
};

#endif

} /* namespace kv */

#endif
