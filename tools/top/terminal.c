/* terminal.c -- a screen that is drawn anew, and keys
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The control sequences are those of ECMA-48, which every terminal of the last
 * decades understands; one that says that it is "dumb" does not.
 */
#include "config.h"

#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[H\033[2J"
#define LEAVE "\033[?25h\033[?1049l"

static int tty = -1;
static struct termios before;
static volatile sig_atomic_t resized;
static volatile sig_atomic_t open_now;

/* write is all that may be done in a signal handler. */
static void
put(const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(tty, text, size);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (n > 0) {
			text += n;
			size -= (size_t)n;
		}
	}
}

static void
enter(void)
{
	struct termios t = before;

	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	tcsetattr(tty, TCSADRAIN, &t);
	put(ENTER, sizeof(ENTER) - 1);
	open_now = 1;
}

void
kvp_terminal_close(void)
{
	if (!open_now)
		return;
	open_now = 0;
	put(LEAVE, sizeof(LEAVE) - 1);
	tcsetattr(tty, TCSADRAIN, &before);
}

/* Give the terminal back, then let the signal do what it does; who was stopped
 * and goes on takes it again. */
static void
on_signal(int signal_number)
{
	int saved_errno = errno;
	sigset_t set;

	kvp_terminal_close();
	signal(signal_number, SIG_DFL);
	raise(signal_number);
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* only SIGTSTP comes here, when it is over */
	signal(signal_number, on_signal);
	enter();
	resized = 1;
	errno = saved_errno;
}

static void
on_resize(int signal_number)
{
	(void)signal_number;
	resized = 1;
}

bool
kvp_terminal_open(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
	const char *kind = getenv("TERM");
	struct sigaction action;
	size_t i;

	if (!kind || strcmp(kind, "dumb") == 0 || !isatty(STDOUT_FILENO))
		return false;
	/* Standard input may be the pipe with the reports. */
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (tty < 0 || tcgetattr(tty, &before) != 0)
		return false;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
	action.sa_handler = on_resize;
	sigaction(SIGWINCH, &action, NULL);
	atexit(kvp_terminal_close);
	enter();
	return true;
}

void
kvp_terminal_size(int *rows, int *columns)
{
	struct winsize w;

	*rows = 24;
	*columns = 80;
	if (ioctl(tty, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col) {
		*rows = w.ws_row;
		*columns = w.ws_col;
	}
}

/* One write for the whole screen, or it would flicker. */
void
kvp_terminal_draw(const char *text, size_t size)
{
	static const char end_of_line[] = "\033[m\033[K\r\n";
	const char *end = text + size, *newline;
	size_t lines = 1, used = 0;
	char *frame;

	for (newline = text; newline < end; newline++)
		lines += *newline == '\n';
	frame = malloc(size + lines * sizeof(end_of_line) + 16);
	if (!frame)
		return;
	memcpy(frame, "\033[H", 3);
	used = 3;
	for (; text < end; text = newline + 1) {
		newline = memchr(text, '\n', (size_t)(end - text));
		if (!newline)
			newline = end;
		memcpy(frame + used, text, (size_t)(newline - text));
		used += (size_t)(newline - text);
		memcpy(frame + used, end_of_line, sizeof(end_of_line) - 1);
		used += sizeof(end_of_line) - 1;
	}
	used -= 2;			/* no new line after the last */
	memcpy(frame + used, "\033[J", 3);
	put(frame, used + 3);
	free(frame);
}

/* Read one key, with the sequences that arrows and their like send. */
static int
read_key(void)
{
	static const struct { const char *sequence; int key; } known[] = {
		{ "[A", KVP_KEY_UP }, { "[B", KVP_KEY_DOWN },
		{ "OA", KVP_KEY_UP }, { "OB", KVP_KEY_DOWN },
		{ "[5~", KVP_KEY_PAGE_UP }, { "[6~", KVP_KEY_PAGE_DOWN },
		{ "[H", KVP_KEY_HOME }, { "[F", KVP_KEY_END },
		{ "[1~", KVP_KEY_HOME }, { "[4~", KVP_KEY_END },
	};
	unsigned char c[8] = "";
	size_t i;
	ssize_t n = read(tty, c, 1);

	if (n <= 0)
		return KVP_KEY_NONE;
	if (c[0] != 033)
		return c[0];
	n = read(tty, c, sizeof(c) - 1);	/* what came with it */
	if (n <= 0)
		return 033;
	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strncmp((char *)c, known[i].sequence, (size_t)n) == 0)
			return known[i].key;
	return KVP_KEY_NONE;
}

int
kvp_terminal_key(double seconds, int fd)
{
	struct pollfd p[2] = { { tty, POLLIN, 0 }, { fd, POLLIN, 0 } };

	if (!resized)
		poll(p, fd < 0 ? 1 : 2, (int)(seconds * 1000) + 1);
	if (resized) {
		resized = 0;
		return KVP_KEY_RESIZE;
	}
	return p[0].revents ? read_key() : KVP_KEY_NONE;
}
