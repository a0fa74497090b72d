/* kvrefuse.c -- a kernel that refuses system calls
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvrefuse.h"
#include "kvtest.h"

#include <stdlib.h>
#include <string.h>

/* musl-gcc comes without the kernel's headers. */
#if defined(__linux__) && __has_include(<linux/filter.h>)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Each filter is four instructions at most: load, compare, refuse, allow; the
 * kernel asks all that were installed and takes the strictest answer. */
static bool
install(struct sock_filter *code, unsigned short n)
{
	struct sock_fprog program = { n, code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool
can_filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	return install(&allow, 1);
}

/* The low half of a 64-bit argument. */
static uint32_t
offset_of_argument(unsigned i)
{
	uint32_t at = (uint32_t)offsetof(struct seccomp_data, args) + 8 * i;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	at += 4;
#endif
	return at;
}

void
kvr_refuse(long call, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	if (!install(code, 4))
		abort();
}

void
kvr_refuse_if(long call, unsigned argument, uint32_t value, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset_of_argument(argument)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	if (!install(code, 6))
		abort();
}

/* musl opens by the older call where there is one. */
static const struct {
	long call;
	unsigned flags;			/* which argument they are */
} opens[] = {
	{ SYS_openat, 2 },
#ifdef SYS_open
	{ SYS_open, 1 },
#endif
};

#define LARGEFILE 0100000		/* which musl and 32 bits add */

void
kvr_refuse_open(int flags, int error)
{
	for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
		uint32_t value = (uint32_t)flags;

		kvr_refuse_if(opens[i].call, opens[i].flags, value, error);
		kvr_refuse_if(opens[i].call, opens[i].flags, value | LARGEFILE, error);
	}
}
#else
static bool
can_filter(void)
{
	return false;
}

void
kvr_refuse(long call, int error)
{
	(void)call, (void)error;
	abort();
}

void
kvr_refuse_if(long call, unsigned argument, uint32_t value, int error)
{
	(void)call, (void)argument, (void)value, (void)error;
	abort();
}

void
kvr_refuse_open(int flags, int error)
{
	(void)flags, (void)error;
	abort();
}
#endif

#ifdef _WIN32
static bool
forks(void)
{
	return false;
}
#else
static bool
forks(void)
{
	const char *fork = getenv("CK_FORK");

	return !fork || strcmp(fork, "no") != 0;
}
#endif

bool
kvr_has_own_process(void)
{
	if (forks())
		return true;
	kvt_skip("the test would spoil the process for others");
	return false;
}

bool
kvr_works_here(void)
{
	if (!kvr_has_own_process())
		return false;
	if (!kvt_is_watched() && can_filter())
		return true;
	kvt_skip(kvt_is_watched() ? "a checker needs every system call" :
		"no seccomp to refuse system calls with");
	return false;
}
