/* facts.c -- the machine a run was made on
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "kv_arena.h"

/* The first line of a file that begins with key, from behind the colon; with a
 * NULL key the first line. */
static void
line_of(const char *path, const char *key, char *value, size_t size)
{
	char line[256];
	FILE *f = fopen(path, "r");

	snprintf(value, size, "unknown");
	while (f && fgets(line, sizeof line, f)) {
		const char *text = line;

		line[strcspn(line, "\n")] = 0;
		if (key) {
			text = strchr(line, ':');
			if (strncmp(line, key, strlen(key)) || !text)
				continue;
			text += 1 + strspn(text + 1, " ");
		}
		snprintf(value, size, "%.150s", text);
		break;
	}
	if (f)
		fclose(f);
}

const struct fact *
kb_facts(size_t *n)
{
	static struct fact facts[] = {
		{ .name = "date" }, { .name = "kvarena" }, { .name = "system" },
		{ .name = "processor" }, { .name = "processors" },
		{ .name = "huge pages" }, { .name = "compiler" },
	};
	struct utsname u;
	time_t now = time(NULL);

	*n = sizeof facts / sizeof *facts;
	if (*facts[0].value)
		return facts;
	strftime(facts[0].value, sizeof facts[0].value, "%Y-%m-%d %H:%M:%S UTC",
		gmtime(&now));
	snprintf(facts[1].value, sizeof facts[1].value, "%s", kv_arena_version());
	if (!uname(&u))
		snprintf(facts[2].value, sizeof facts[2].value, "%.40s %.40s %.40s",
			u.sysname, u.release, u.machine);
	line_of("/proc/cpuinfo", "model name", facts[3].value,
		sizeof facts[3].value);
	snprintf(facts[4].value, sizeof facts[4].value, "%u", kb_cpus());
	line_of("/sys/kernel/mm/transparent_hugepage/enabled", NULL,
		facts[5].value, sizeof facts[5].value);
	snprintf(facts[6].value, sizeof facts[6].value, "%s", __VERSION__);
	return facts;
}

void
kb_print_machine(void)
{
	size_t n;
	const struct fact *facts = kb_facts(&n);

	for (size_t i = 0; i < n; i++)
		printf("%-11s %s\n", facts[i].name, facts[i].value);
}

void
kb_print_facts(const struct presence *presence)
{
	kb_print_machine();
	printf("peers      ");
	for (size_t i = 0; kb_peers[i]; i++) {
		if (kb_peers[i]->flags & (PEER_OURS | PEER_LIMIT))
			continue;
		printf(" %s", kb_peers[i]->name);
		if (!presence[i].here)
			printf(" (not here)");
		else if (presence[i].version[0] != '-')
			printf(" %s", presence[i].version);
		printf("%s", kb_peers[i + 1] ? "," : "");
	}
	printf("\n");
}
