/* words.h -- what the proofs take for granted about 64-bit words
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * WP reasons about integers and knows little of &, ~, ^ and <<. Each axiom here
 * states one fact about them, and is itself proved for all words by two solvers
 * over bit vectors: words.smt2 says the same in their language, under the same
 * names, and check-proof runs it.
 */
#define FOUR(n, c) (n == (c) || n == 2 * (c) || n == 4 * (c) || n == 8 * (c))
#define SIXTEEN(n, c) \
	(FOUR(n, c) || FOUR(n, 16 * (c)) || FOUR(n, 256 * (c)) || FOUR(n, 4096 * (c)))

/*@ predicate power_of_two(integer n) =
  @	SIXTEEN(n, 1) || SIXTEEN(n, 0x10000) ||
  @	SIXTEEN(n, 0x100000000) || SIXTEEN(n, 0x1000000000000);
  @
  @ predicate word(integer x) = 0 <= x <= 0xFFFFFFFFFFFFFFFF;
  @
  @ predicate rounded_up(integer r, integer x, integer a) =
  @	r % a == 0 && x <= r < x + a;
  @
  @ axiomatic words {
  @
  @ axiom power: \forall integer n; word(n) && 0 < n ==>
  @	((n & (n - 1)) == 0 <==> power_of_two(n));
  @
  @ axiom fill: \forall integer x, a; word(x) && power_of_two(a) ==>
  @	0 <= (-x & (a - 1)) < a && (x + (-x & (a - 1))) % a == 0;
  @
  @ axiom clear: \forall integer x, m; word(x) && power_of_two(m + 1) ==>
  @	(x & (uint64_t)~m) % (m + 1) == 0 &&
  @	x - m <= (x & (uint64_t)~m) <= x;
  @
  @ axiom eight: \forall integer x; word(x) ==>
  @	(x | 7) == x - x % 8 + 7;
  @
  @ axiom wrap: \forall integer x; word(x - 0x10000000000000000) ==>
  @	(uint64_t)x == x - 0x10000000000000000;
  @
  @ axiom below: \forall integer x; word(x + 0x10000000000000000) ==>
  @	(uint64_t)x == x + 0x10000000000000000;
  @
  @ axiom flip: \forall integer x; 0 <= x < 64 ==> (x ^ 63) == 63 - x;
  @
  @ axiom shift: \forall integer i; 0 <= i < 64 ==>
  @	(1 << (i + 1)) == 2 * (1 << i);
  @
  @ axiom order: \forall integer i, j; 0 <= i <= j <= 64 ==>
  @	1 <= (1 << i) <= (1 << j);
  @
  @ axiom start: \forall integer at, s, a; word(at) && at % 16 == 0 &&
  @	power_of_two(a) && rounded_up(s, at, a) ==>
  @	s % 16 == 0 && s <= at + (a > 16 ? a - 16 : 0);
  @
  @ }
  @*/
