/* trace-subject.c -- allocates what t-trace.sh then counts
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: trace-subject WHAT
 *
 *	counts	1,000 list nodes in 50 lists that are freed as one, 7 of calloc,
 *		3 reallocs of 1 object, 2 aligned, 5 never freed; exit status 7
 *	threads	4 threads, 500 objects each, freed by another thread
 *	fork	10 objects in the child, 20 in the parent
 *	loop	allocates and frees until a signal comes; says when it is well on
 *
 * It must be compiled without builtins, and uses no function that allocates.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct node {
	struct node *next;
	char text[24];
};

void *kept[5];

static struct node *
make_list(int n)
{
	struct node *head = NULL;

	while (n-- > 0) {
		struct node *node = malloc(sizeof(*node));
		if (!node)
			abort();
		node->next = head;
		head = node;
	}
	return head;
}

static void
free_list(struct node *head)
{
	while (head) {
		struct node *next = head->next;
		free(head);
		head = next;
	}
}

static int
counts(void)
{
	void *p;
	int i;

	for (i = 0; i < 50; i++)
		free_list(make_list(20));
	for (i = 0; i < 7; i++)
		free(calloc(3, 11));
	p = realloc(NULL, 10);
	p = realloc(p, 100);
	p = realloc(p, 1000);
	p = realloc(p, 5);
	free(p);
	free(NULL);
	for (i = 0; i < 2; i++) {
		if (posix_memalign(&p, 256, 100) != 0)
			abort();
		free(p);
	}
	for (i = 0; i < 5; i++)
		kept[i] = malloc(1000);
	return 7;
}

static void *
fill(void *arg)
{
	void **slots = arg;
	int i;

	for (i = 0; i < 500; i++)
		slots[i] = malloc((size_t)i + 1);
	return NULL;
}

static int
threads(void)
{
	static void *slots[4][500];
	pthread_t ids[4];
	int i, k;

	for (i = 0; i < 4; i++)
		if (pthread_create(&ids[i], NULL, fill, slots[i]) != 0)
			abort();
	for (i = 0; i < 4; i++)
		pthread_join(ids[i], NULL);
	for (i = 0; i < 4; i++)
		for (k = 0; k < 500; k++)
			free(slots[i][k]);
	return 0;
}

static int
fork_one(void)
{
	struct node *head = make_list(20);
	int status = 1;
	pid_t child = fork();

	if (child == 0) {
		free_list(head);
		make_list(10);
		_exit(0);
	}
	waitpid(child, &status, 0);
	free_list(head);
	return status != 0;
}

static int
loop(void)
{
	for (int i = 0;; i++) {
		free_list(make_list(10));
		if (i == 100 && write(1, "on\n", 3) != 3)
			return 1;
		usleep(1000);
	}
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "counts") == 0)
		return counts();
	if (strcmp(what, "threads") == 0)
		return threads();
	if (strcmp(what, "fork") == 0)
		return fork_one();
	if (strcmp(what, "loop") == 0)
		return loop();
	return 2;
}
