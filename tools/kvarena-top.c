/* kvarena-top.c -- the arenas of a running process, live
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "top/sample.h"
#include "top/source.h"
#include "top/terminal.h"
#include "top/view.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
"usage: kvarena-top [OPTION...] NAME | FILE | -\n"
"\n"
"Shows the arenas of a running process, which writes a report of them from time\n"
"to time (kv_arena_write_report, KV_ARENA_REPORT_JSON): to FILE, to\n"
"/dev/shm/kvarena.NAME, or down a pipe, one report after the other. A process that\n"
"was started with KVARENA_CONF=publish:NAME does so by itself.\n"
"\n"
"  -d SECONDS   look so often (2)\n"
"  -n NUMBER    look so many times, then end\n"
"  -b           batch: print each look, for a file or another program; so it is\n"
"               too where there is no terminal\n"
"  -o COLUMN    sort by HELD, PEAK, USED%, LOST, FREE, BLOCKS, ALLOC/s, BYTES/s,\n"
"               RESET/s, WAIT/s or ARENA (HELD)\n"
"  -h, --help   this text          -V, --version   the version\n"
"\n"
"While it runs: q quits, h tells the keys.\n"
"Exit status: 0 done, 1 there is no report or it cannot be read, 2 wrong usage.\n";

struct top {
	struct kvp_source source;
	struct kvp_sample samples[2];
	int current;			/* which of them is shown */
	struct kvp_view view;
	unsigned long looks;		/* left; 0: no end */
	bool batch;
	bool piped_out;			/* the pipe has ended */
};

/* ---- Options ------------------------------------------------------------------------- */

__attribute__((__noreturn__)) static void
misuse(const char *what, const char *argument)
{
	fprintf(stderr, "kvarena-top: %s%s%s%s\nTry 'kvarena-top --help'.\n", what,
		argument ? ": '" : "", argument ? argument : "",
		argument ? "'" : "");
	exit(2);
}

static double
read_delay(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	return end != text && !*end && seconds >= 0.05 && seconds <= 86400
		? seconds : -1;
}

static void
print_and_end(const char *text)
{
	fputs(text, stdout);
	exit(fflush(stdout) == 0 ? 0 : 1);
}

static void
read_options(struct top *t, int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	char version[64], letter[3] = "-?", *end;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":d:n:bo:hV", options, NULL)) != -1)
		switch (c) {
		case 'd':
			t->view.delay = read_delay(optarg);
			if (t->view.delay < 0)
				misuse("-d: not a number of seconds", optarg);
			break;
		case 'n':
			t->looks = strtoul(optarg, &end, 10);
			if (*end || *optarg < '0' || *optarg > '9' || !t->looks)
				misuse("-n: not a number from 1", optarg);
			break;
		case 'b':
			t->batch = true;
			break;
		case 'o':
			t->view.column = kvp_view_column(optarg);
			if (t->view.column == KVP_COLUMNS)
				misuse("-o: no such column", optarg);
			break;
		case 'h':
			print_and_end(help);
			break;
		case 'V':
			snprintf(version, sizeof(version), "kvarena-top %s\n",
				kv_arena_version());
			print_and_end(version);
			break;
		case ':':
			misuse("an argument is missing", argv[optind - 1]);
		default:
			letter[1] = (char)optopt;
			misuse("unknown option", optopt ? letter : argv[optind - 1]);
		}
	if (optind >= argc)
		misuse("the name or file of a report is missing", NULL);
	if (optind + 1 < argc)
		misuse("one report only", argv[optind + 1]);
	kvp_source_open(&t->source, argv[optind]);
}

/* ---- Looking ---------------------------------------------------------------------------- */

static struct kvp_sample *
shown(struct top *t)
{
	return &t->samples[t->current];
}

/* Note why there is nothing new. */
static void
note_gone(struct top *t)
{
	if (t->source.path)
		snprintf(t->view.message, sizeof(t->view.message), "%s: %s",
			t->source.path, strerror(t->source.error));
	else
		snprintf(t->view.message, sizeof(t->view.message), "%s: %s",
			t->source.name, t->source.error ? strerror(t->source.error)
				: "it has ended");
	t->piped_out = !t->source.path;
}

/* Take in what is new, and tell whether there was something. A report that is
 * being written just now cannot be read; the one before it stays. */
static bool
look(struct top *t)
{
	bool read = false;
	struct kvp_sample *next = &t->samples[!t->current];
	const char *message;
	char place[24] = "";
	unsigned line;
	enum kvp_news news = KVP_SAME;

	if (!t->piped_out)
		news = kvp_source_look(&t->source);
	if (news == KVP_GONE)
		note_gone(t);
	if (news != KVP_NEW)
		return false;
	read = kvp_sample_read(next, shown(t), t->source.text, t->source.size,
		t->source.when, &line, &message);
	if (read) {
		t->current = !t->current;
		t->view.message[0] = '\0';
	} else {
		if (line)
			snprintf(place, sizeof(place), "line %u: ", line);
		snprintf(t->view.message, sizeof(t->view.message), "%s: %s%s",
			t->source.name, place, message);
	}
	kvp_sample_sort(shown(t), t->view.column, t->view.backwards);
	return read;
}

/* ---- Batch --------------------------------------------------------------------------------- */

static void
wait_for(double seconds)
{
	struct timespec t;

	t.tv_sec = (time_t)seconds;
	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

/* Look until there is a report, for half a second: a file may be half written at the
 * first look, but not at each. A pipe is waited for. */
static bool
first_report(struct top *t)
{
	int tries;

	for (tries = 0; tries < 10 && !t->piped_out; tries++) {
		if (look(t))
			return true;
		if (t->source.path && !t->source.text)
			return false;
		if (!t->source.path)
			tries = 0;
		wait_for(0.05);
	}
	return false;
}

/* Wait for the next thing to print: of a file, what is there after the delay; of
 * a pipe, the next report. False: there will be none. */
static bool
next_report(struct top *t)
{
	if (t->source.path) {
		wait_for(t->view.delay);
		look(t);
		return true;
	}
	while (!look(t)) {
		if (t->piped_out)
			return false;
		wait_for(0.05);
	}
	return true;
}

static int
run_batch(struct top *t)
{
	bool first = true;

	if (!first_report(t)) {
		fprintf(stderr, "kvarena-top: %s\n", t->view.message[0]
			? t->view.message : "no report has come");
		return 1;
	}
	for (;;) {
		if (!first)
			putchar('\n');
		first = false;
		kvp_view_draw(&t->view, shown(t), &t->source, stdout);
		if (fflush(stdout) != 0) {
			fprintf(stderr, "kvarena-top: the output could not be "
				"written: %s\n", strerror(errno));
			return 1;
		}
		if ((t->looks && --t->looks == 0) || !next_report(t))
			return 0;
	}
}

/* ---- Live ------------------------------------------------------------------------------------ */

static void
draw(struct top *t)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	kvp_terminal_size(&t->view.rows, &t->view.columns);
	kvp_view_draw(&t->view, shown(t), &t->source, out);
	fclose(out);
	if (size && text[size - 1] == '\n')
		size--;
	kvp_terminal_draw(text, size);
	free(text);
}

static void
sort_by(struct top *t, int column)
{
	t->view.column = (enum kvp_column)((column + KVP_COLUMNS) % KVP_COLUMNS);
	kvp_sample_sort(shown(t), t->view.column, t->view.backwards);
}

/* Ask for the delay on the message line. */
static void
ask_delay(struct top *t)
{
	char text[16] = "";
	size_t n = 0;
	int key;

	do {
		snprintf(t->view.message, sizeof(t->view.message),
			"Delay in seconds (now %.2g): %s", t->view.delay, text);
		draw(t);
		key = kvp_terminal_key(60, -1);
		if ((key == 0x7f || key == '\b') && n > 0)
			text[--n] = '\0';
		else if (((key >= '0' && key <= '9') || key == '.') &&
			n < sizeof(text) - 1)
			text[n++] = (char)key;
	} while (key != '\n' && key != '\r' && key != 033 && key != KVP_KEY_NONE);
	t->view.message[0] = '\0';
	if (n && read_delay(text) > 0)
		t->view.delay = read_delay(text);
	else if (n)
		strcpy(t->view.message, "That is no delay.");
}

/* False: it is time to go. */
static bool
handle_key(struct top *t, int key)
{
	struct kvp_view *v = &t->view;

	if (v->page == KVP_HELP && key != KVP_KEY_NONE &&
		key != KVP_KEY_RESIZE) {
		v->page = KVP_LIST;
		return true;
	}
	switch (key) {
	case 'q': return false;
	case 'h': case '?': v->page = KVP_HELP; break;
	case '\n': case '\r':
		v->page = v->page == KVP_DETAIL ? KVP_LIST : KVP_DETAIL;
		break;
	case 033: v->page = KVP_LIST; break;
	case '<': sort_by(t, (int)v->column - 1); break;
	case '>': sort_by(t, (int)v->column + 1); break;
	case 'M': sort_by(t, KVP_HELD); break;
	case 'P': sort_by(t, KVP_ALLOCATIONS); break;
	case 'N': sort_by(t, KVP_PATH); break;
	case 'W': sort_by(t, KVP_LOST); break;
	case 'R':
		v->backwards = !v->backwards;
		sort_by(t, (int)v->column);
		break;
	case 'd': case 's': ask_delay(t); break;
	case KVP_KEY_UP: case 'k': kvp_view_move(v, shown(t), -1); break;
	case KVP_KEY_DOWN: case 'j': kvp_view_move(v, shown(t), 1); break;
	case KVP_KEY_PAGE_UP: kvp_view_move(v, shown(t), -10); break;
	case KVP_KEY_PAGE_DOWN: kvp_view_move(v, shown(t), 10); break;
	case KVP_KEY_HOME: kvp_view_move(v, shown(t), -1000000); break;
	case KVP_KEY_END: kvp_view_move(v, shown(t), 1000000); break;
	}
	return true;
}

static int
run_live(struct top *t)
{
	uint64_t next = 0, now;
	int key;

	for (;;) {
		now = kvp_now();
		if (now >= next) {
			if (t->looks && next && --t->looks == 0)
				return 0;
			look(t);
			if (!t->view.selected && shown(t)->rows &&
				shown(t)->report.n)
				t->view.selected = shown(t)->rows[0].arena->id;
			next = now + (uint64_t)(t->view.delay * 1e9);
		}
		draw(t);
		key = kvp_terminal_key((double)(next - now) / 1e9,
			t->source.path || t->piped_out ? -1 : STDIN_FILENO);
		if (key == ' ' || (key == KVP_KEY_NONE && !t->source.path))
			look(t);
		else if (!handle_key(t, key))
			return 0;
	}
}

int
main(int argc, char **argv)
{
	static struct top t;

	t.view.delay = 2;
	t.view.column = KVP_HELD;
	read_options(&t, argc, argv);
	if (t.batch || !kvp_terminal_open())
		return run_batch(&t);
	return run_live(&t);
}
