/* lua.c -- a script per request, in a state of its own
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Lua says the old size, so nothing is put in front of its objects. Its collector
 * works as ever, but what it frees comes back with the reset only: a long script
 * that makes much garbage is not for an arena; see the bytes taken. Discarding a
 * state is sound as long as the script holds no file or foreign userdata.
 *
 * usage: lua [--quick] [--line] [SCRIPT.LUA]
 */
#include <kv_arena_adapters.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "must.h"
#include "race.h"

static const char query[] = "country=US&limit=10&fields=tz%2Clatitude";
static char *script, *table;
static size_t script_size, table_size;

static void *
counted_sized(void *context, void *ptr, size_t old_size, size_t new_size)
{
	(void)old_size;
	if (new_size)
		return race_realloc(context, ptr, new_size);
	race_free(context, ptr);
	return NULL;
}

static uint64_t
request(enum race_lane lane, kv_arena_t *arena)
{
	lua_State *L = lane == RACE_MALLOC ? luaL_newstate() :
		lane == RACE_COUNT ? lua_newstate(counted_sized, NULL) :
		lua_newstate(kv_arena_adapter_sized, arena);
	const char *answer;
	uint64_t sum;
	size_t size;

	must(L != NULL);
	luaL_openlibs(L);
	must(luaL_loadbuffer(L, script, script_size, "=request") == LUA_OK);
	lua_pushlstring(L, table, table_size);
	lua_pushstring(L, query);
	if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		exit(EXIT_FAILURE);
	}
	answer = lua_tolstring(L, -1, &size);
	must(answer != NULL && size > 100);
	sum = race_sum(1, answer, size);
	if (lane != RACE_DISCARD)
		lua_close(L);
	return sum;
}

int
main(int argc, char **argv)
{
	struct race race = { "Lua", NULL, request, false, 0 };
	char job[100];
	int status;

	script = race_read(race_input(argc, argv, DATA "/request.lua"), &script_size);
	table = race_read(DATA "/zones.tab", &table_size);
	snprintf(job, sizeof job, "a new state, a script over %zu bytes", table_size);
	race.job = job;
	status = race_run(&race, argc, argv);
	free(table);
	free(script);
	return status;
}
