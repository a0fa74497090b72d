/* t-lot.c -- lib/lot.c: every 8 bytes have the same chance
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvtest.h"
#include "lot.h"

#include <math.h>

static double
round_to_8(size_t n)
{
	return (double)((n + 7) / 8 * 8);
}

START_TEST(chance_is_that_of_the_formula)
{
	static const size_t sizes[] = { 1, 8, 9, 24, 100, 1000, 4096, 65536, 1 << 20 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (uint64_t interval = 1; interval < (uint64_t)1 << 60; interval *= 3) {
			double x = round_to_8(sizes[i]) / (double)interval;
			double wanted = -expm1(-x);
			double got = kva_lot_chance(interval, sizes[i]);

			kvt_true(fabs(got - wanted) <= 1e-12 * wanted);
			kvt_true(got > 0 && got <= 1);
		}
}
END_TEST

START_TEST(lots_of_one_seed_draw_alike)
{
	struct kva_lot a, b, c;
	unsigned same = 0, drawn = 0;

	kva_lot_begin(&a, 4096, 7);
	kva_lot_begin(&b, 4096, 7);
	kva_lot_begin(&c, 4096, 8);
	for (size_t i = 0; i < 10000; i++) {
		bool is_drawn = kva_lot_draw(&a, i % 500 + 1);

		kvt_true(kva_lot_draw(&b, i % 500 + 1) == is_drawn);
		same += kva_lot_draw(&c, i % 500 + 1) && is_drawn;
		drawn += is_drawn;
	}
	kvt_cmp(drawn, >, 400);
	kvt_cmp(same, <, drawn / 2);
}
END_TEST

/* The distances must have the spread of the exponential distribution too, which is
 * its mean, or weights would be wrong for some sizes. */
START_TEST(distances_are_exponentially_distributed)
{
	const double interval = 80000, n = 100000;
	struct kva_lot l;
	double sum = 0, squares = 0, longer = 0, mean, spread;

	kva_lot_begin(&l, (uint64_t)interval, 1);
	for (double i = 0; i < n; i++) {
		double x = (double)l.until;

		sum += x;
		squares += x * x;
		longer += x > 2 * interval;
		kvt_eq(l.until % 8, 0);
		kvt_true(kva_lot_draw(&l, (size_t)l.until + 1));
	}
	mean = sum / n;
	spread = sqrt(squares / n - mean * mean);
	kvt_true(fabs(mean - interval) < 3 * interval / sqrt(n));
	kvt_true(fabs(spread - interval) < 3 * sqrt(2) * interval / sqrt(n));
	kvt_true(fabs(longer / n - exp(-2)) < 3 * sqrt(exp(-2) * (1 - exp(-2)) / n));
}
END_TEST

/* What is drawn, weighted, for one size among others. */
START_TEST(each_size_of_a_mix_is_counted_right)
{
	static const size_t sizes[] = { 1, 8, 40, 100, 1000, 5000, 60000 };
	enum { SIZES = sizeof sizes / sizeof *sizes };
	double sum[SIZES] = { 0 }, n = 30000;
	struct kva_lot l;

	kva_lot_begin(&l, 4096, 3);
	for (size_t round = 0; round < (size_t)n; round++)
		for (size_t i = 0; i < SIZES; i++)
			if (kva_lot_draw(&l, sizes[i]))
				sum[i] += 1 / kva_lot_chance(4096, sizes[i]);
	for (size_t i = 0; i < SIZES; i++) {
		double chance = kva_lot_chance(4096, sizes[i]);
		double sigma = sqrt(n * (1 - chance) / chance);

		kvt_true(fabs(sum[i] - n) <= 3 * sigma + 1);
	}
}
END_TEST

START_TEST(what_is_much_larger_is_drawn_always_and_the_least_interval_draws_all)
{
	unsigned drawn = 0;
	struct kva_lot l;

	kva_lot_begin(&l, 4096, 5);
	for (int i = 0; i < 1000; i++)
		kvt_true(kva_lot_draw(&l, 1 << 20));
	kvt_true(kva_lot_chance(4096, 1 << 20) >= 1);
	kva_lot_begin(&l, 1, 5);
	for (int i = 0; i < 1000; i++)	/* exp(-8) are not */
		drawn += kva_lot_draw(&l, 8);
	kvt_cmp(drawn, >, 990);
	for (uint64_t seed = 0; seed < 1000; seed++) {
		kva_lot_begin(&l, SIZE_MAX / 4, seed);
		kvt_true(!kva_lot_draw(&l, 1 << 10));
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lot");
	TCase *g = kvt_group(s, "lots");

	tcase_add_test(g, chance_is_that_of_the_formula);
	tcase_add_test(g, lots_of_one_seed_draw_alike);
	tcase_add_test(g, distances_are_exponentially_distributed);
	tcase_add_test(g, each_size_of_a_mix_is_counted_right);
	tcase_add_test(g,
		what_is_much_larger_is_drawn_always_and_the_least_interval_draws_all);
	return kvt_run(s, 200000);
}
