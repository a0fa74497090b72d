/* sanitizers.c -- what the sanitizers must know of the fuzz targets
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A hopeless request is to be refused, not to end the program.
 */
const char *__asan_default_options(void);
const char *__msan_default_options(void);
const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *
__msan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *
__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}
