/* kvpages.c -- pages as the system sees them
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"
#include "kvpages.h"

#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#include <psapi.h>

size_t
kvpg_size(void)
{
	SYSTEM_INFO info;

	GetSystemInfo(&info);
	return info.dwPageSize;
}

static MEMORY_BASIC_INFORMATION
ask(const void *p)
{
	MEMORY_BASIC_INFORMATION info = { .State = MEM_FREE };

	VirtualQuery(p, &info, sizeof info);
	return info;
}

bool
kvpg_is_mapped(const void *p)
{
	return ask(p).State != MEM_FREE;
}

bool
kvpg_is_resident(const void *p)
{
	PSAPI_WORKING_SET_EX_INFORMATION page = { (PVOID)p, { 0 } };

	return K32QueryWorkingSetEx(GetCurrentProcess(), &page, sizeof page) &&
		page.VirtualAttributes.Valid;
}

bool
kvpg_stops_reading(const void *p)
{
	MEMORY_BASIC_INFORMATION info = ask(p);

	return info.State != MEM_COMMIT || (info.Protect & PAGE_NOACCESS);
}

bool
kvpg_stops_writing(void *p)
{
	MEMORY_BASIC_INFORMATION info = ask(p);

	return info.State != MEM_COMMIT ||
		!(info.Protect & (PAGE_READWRITE | PAGE_WRITECOPY));
}

#else
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

size_t
kvpg_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static int
ask(const void *p, unsigned char *resident)
{
	return mincore((void *)((uintptr_t)p & ~(kvpg_size() - 1)), kvpg_size(),
		(void *)resident);
}

bool
kvpg_is_mapped(const void *p)
{
	unsigned char resident;

	return ask(p, &resident) == 0 || errno != ENOMEM;
}

bool
kvpg_is_resident(const void *p)
{
	unsigned char resident;

	return ask(p, &resident) == 0 && (resident & 1);
}

/* Whether a child process is ended for it. */
static bool
is_fatal(volatile char *p, bool writes)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		if (writes)
			*p = 1;
		else
			(void)*p;
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	return WIFSIGNALED(status);
}

bool
kvpg_stops_reading(const void *p)
{
	return is_fatal((char *)(uintptr_t)p, false);
}

bool
kvpg_stops_writing(void *p)
{
	return is_fatal(p, true);
}
#endif

bool
kvpg_map_says(const char *text)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	bool found = false;

	while (f && !found && fgets(line, sizeof line, f))
		found = strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return found;
}
