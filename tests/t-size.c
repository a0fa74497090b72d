/* t-size.c -- the arithmetic of lib/size.h
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvtest.h"
#include "size.h"

#define BITS (8 * (unsigned)sizeof(size_t))

/* Sizes at which something may go wrong: around every power of two. */
static size_t
edge(unsigned i)
{
	return ((size_t)1 << i / 5) + i % 5 - 2;
}

#define EDGES (5 * BITS)

START_TEST(power_of_two_has_exactly_one_bit)
{
	for (unsigned i = 0; i < EDGES; i++)
		kvt_true(kva_is_power_of_two(edge(i)) ==
			(__builtin_popcountll(edge(i)) == 1));
	kvt_true(!kva_is_power_of_two(0));
}
END_TEST

START_TEST(rounding_finds_the_multiples_around_a_size)
{
	for (size_t alignment = 1; alignment <= 4096; alignment *= 2)
		for (size_t n = 0; n < 10000; n += n < 100 ? 1 : 61) {
			size_t up = kva_round_up(n, alignment);
			size_t down = kva_round_down(n, alignment);

			kvt_true(up % alignment == 0 && up >= n && up - n < alignment);
			kvt_true(down % alignment == 0 && down <= n &&
				n - down < alignment);
		}
}
END_TEST

START_TEST(padding_leads_to_the_next_multiple)
{
	for (unsigned shift = 0; shift < BITS; shift++) {
		size_t alignment = (size_t)1 << shift;

		for (unsigned i = 0; i < EDGES; i++) {
			size_t pad = kva_padding(edge(i), alignment);

			kvt_cmp(pad, <, alignment);
			kvt_eq((edge(i) + pad) & (alignment - 1), 0);
		}
	}
}
END_TEST

START_TEST(fits_after_agrees_with_exact_sums)
{
	for (unsigned i = 0; i < EDGES; i += 3)
		for (unsigned j = 0; j < EDGES; j += 3)
			for (unsigned k = 0; k < EDGES; k += 3) {
				size_t sum;
				bool fits = !__builtin_add_overflow(edge(j), edge(k),
					&sum) && sum <= edge(i);

				kvt_true(kva_fits_after(edge(i), edge(j), edge(k)) ==
					fits);
			}
}
END_TEST

START_TEST(multiply_refuses_exactly_what_overflows)
{
	for (unsigned i = 0; i < EDGES; i++)
		for (unsigned j = 0; j < EDGES; j++) {
			size_t product = 1, wanted;
			bool overflows = __builtin_mul_overflow(edge(i), edge(j),
				&wanted);

			kvt_true(kva_multiply(edge(i), edge(j), &product) ==
				!overflows);
			kvt_true(overflows ? product == 1 : product == wanted);
		}
	kvt_true(kva_multiply(SIZE_MAX, 0, &(size_t){ 0 }));
}
END_TEST

START_TEST(room_serves_a_request_wherever_a_block_begins)
{
	for (size_t alignment = 1; alignment <= 256; alignment *= 2)
		for (size_t size = 1; size < 600; size += 7)
			for (uintptr_t base = 0; base < 512; base += 16) {
				size_t room, pad = kva_padding(base, alignment);

				kvt_true(kva_room_for(size, alignment, &room));
				kvt_cmp(pad + kva_round_up(size, 8), <=, room);
			}
}
END_TEST

START_TEST(room_is_no_more_than_the_worst_block_needs)
{
	for (size_t alignment = 1; alignment <= 256; alignment *= 2)
		for (size_t size = 1; size < 600; size += 7) {
			size_t room, most = 0;

			for (uintptr_t base = 0; base < 512; base += 16) {
				size_t pad = kva_padding(base, alignment);

				most = pad > most ? pad : most;
			}
			kvt_true(kva_room_for(size, alignment, &room));
			kvt_eq(room, most + kva_round_up(size, 8));
		}
}
END_TEST

START_TEST(room_is_refused_beyond_the_limit)
{
	size_t room = 7;

	kvt_true(kva_room_for(KVA_SIZE_LIMIT, (size_t)1 << (BITS - 3), &room));
	kvt_cmp(room, <, SIZE_MAX / 2);
	room = 7;
	kvt_true(!kva_room_for(KVA_SIZE_LIMIT + 1, 8, &room));
	kvt_true(!kva_room_for(SIZE_MAX, 1, &room));
	kvt_true(!kva_room_for(1, (size_t)1 << (BITS - 2), &room));
	kvt_true(!kva_room_for(1, (size_t)1 << (BITS - 1), &room));
	kvt_eq(room, 7);
}
END_TEST

START_TEST(power_above_is_the_least_that_is_enough)
{
	for (unsigned i = 0; i < 5 * (BITS - 2); i++) {
		size_t n = edge(i), p;

		if (n == 0 || n > (size_t)1 << (BITS - 2))
			continue;
		p = kva_power_above(n);
		kvt_true(kva_is_power_of_two(p) && p >= n && p / 2 < n);
	}
}
END_TEST

START_TEST(bucket_is_the_one_whose_bounds_hold_the_size)
{
	for (unsigned i = 0; i < EDGES; i++) {
		size_t n = edge(i);
		unsigned b;

		if (n == 0 || n > KVA_SIZE_LIMIT)
			continue;
		b = kva_bucket(n, 63);
		kvt_true(n <= (size_t)1 << b);
		kvt_true(b == 0 || n > (size_t)1 << (b - 1));
		kvt_eq(kva_bucket(n, 15), b < 15 ? b : 15);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("size");
	TCase *g = kvt_group(s, "arithmetic");

	tcase_add_test(g, power_of_two_has_exactly_one_bit);
	tcase_add_test(g, rounding_finds_the_multiples_around_a_size);
	tcase_add_test(g, padding_leads_to_the_next_multiple);
	tcase_add_test(g, fits_after_agrees_with_exact_sums);
	tcase_add_test(g, multiply_refuses_exactly_what_overflows);
	tcase_add_test(g, room_serves_a_request_wherever_a_block_begins);
	tcase_add_test(g, room_is_no_more_than_the_worst_block_needs);
	tcase_add_test(g, room_is_refused_beyond_the_limit);
	tcase_add_test(g, power_above_is_the_least_that_is_enough);
	tcase_add_test(g, bucket_is_the_one_whose_bounds_hold_the_size);
	return kvt_run(s, sizeof(size_t) > 4 ? 500000 : 250000);
}
