/* terminal.h -- a screen that is drawn anew, and keys
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVP_TERMINAL_H
#define KVP_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Keys that are no characters. */
enum { KVP_KEY_NONE = 0, KVP_KEY_UP = 256, KVP_KEY_DOWN, KVP_KEY_PAGE_UP,
	KVP_KEY_PAGE_DOWN, KVP_KEY_HOME, KVP_KEY_END, KVP_KEY_RESIZE };

/* Take over the terminal: the other screen, keys one by one. It is given back
 * at exit and on every signal that ends or stops the program. False: there is
 * none, or it is too simple. */
bool kvp_terminal_open(void);
void kvp_terminal_close(void);

void kvp_terminal_size(int *rows, int *columns);

/* Draw a whole screen: lines with \n between them, already as wide as they may
 * be. */
void kvp_terminal_draw(const char *text, size_t size);

/* Wait for a key, at most so long; also until fd can be read, where it is not
 * below 0. KVP_KEY_NONE: no key came. */
int kvp_terminal_key(double seconds, int fd);

#endif
