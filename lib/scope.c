/* scope.c [4] -- moments of an arena's life: marks, defers, generations
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A handle compares the generation it was made in with a cell that the arena
 * moves on when that generation ends. Cells are never unmapped and their values
 * never fall, so a handle can be asked after its arena is gone. Each mark begins a
 * generation of its own: a rewind ends those begun since, and no older one.
 */
#include "scope.h"
#include "size.h"

#include <pthread.h>

/* Cells are carved from pages that are kept for ever; those given back are used
 * again, with their value. */
#define CELLS_PER_PAGE 254

struct cell {
	uint64_t generation;		/* atomic; first: a handle points here */
	struct cell *next_unused;
};

struct cell_page {
	struct cell_page *next;
	struct cell cells[CELLS_PER_PAGE];
};

static struct {
	pthread_mutex_t lock;
	struct cell_page *pages;
	struct cell *unused;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool
add_page_locked(void)
{
	struct cell_page *page = kva_os.alloc(sizeof *page, sizeof(uint64_t));

	if (!page)
		return false;
	page->next = all.pages;
	all.pages = page;
	for (unsigned i = 0; i < CELLS_PER_PAGE; i++) {
		page->cells[i] = (struct cell){ 0, all.unused };
		all.unused = &page->cells[i];
	}
	return true;
}

static uint64_t *
take_cell(void)
{
	struct cell *c = NULL;

	pthread_mutex_lock(&all.lock);
	if (all.unused || add_page_locked()) {
		c = all.unused;
		all.unused = c->next_unused;
	}
	pthread_mutex_unlock(&all.lock);
	return c ? &c->generation : NULL;
}

/* The generation ends and its cell may serve another. Edge G1: whoever reads the
 * new value also sees that the memory's life ended, hence release. */
static void
end_generation(uint64_t *cell)
{
	struct cell *c = (struct cell *)(void *)cell;

	if (!c)
		return;
	kva_store_release(&c->generation, c->generation + 1);
	pthread_mutex_lock(&all.lock);
	c->next_unused = all.unused;
	all.unused = c;
	pthread_mutex_unlock(&all.lock);
}

uint64_t *
kva_scope_cell(struct kva_arena *a)
{
	if (!a->cell)
		a->cell = take_cell();
	return a->cell;
}

void
kva_scope_fork_before(void)
{
	pthread_mutex_lock(&all.lock);
}

void
kva_scope_fork_after(void)
{
	pthread_mutex_unlock(&all.lock);
}

/* ---- Defers ---------------------------------------------------------------- */

void
kva_scope_defer(struct kva_arena *a, struct kva_defer *d)
{
	d->next = a->defers;
	a->defers = d;
}

/* Taken off before it runs, so that one it defers runs next, and one that fails
 * half-way is not run twice. */
void
kva_scope_run_defers(struct kva_arena *a, struct kva_defer *last)
{
	struct kva_defer *d;

	while ((d = a->defers) != last) {
		a->defers = d->next;
		d->fn(d->arg);
	}
}

/* ---- Marks ------------------------------------------------------------------- */

/* Whether nothing happened since the newest mark: then it will do, and a loop that
 * marks and rewinds does not leave a record each time round. */
static bool
is_at(struct kva_arena *a, const struct kva_mark *m)
{
	struct kva_snapshot now;

	if (!m || a->cell || m->defers != a->defers)
		return false;
	kva_arena_save(a, &now);
	return now.blocks == m->state.blocks && now.cur == m->state.cur &&
		now.packed == m->state.packed && now.asked == m->state.asked &&
		now.abandoned == m->state.abandoned;
}

kv_arena_mark_t
kva_scope_mark(struct kva_arena *a)
{
	struct kva_snapshot state;
	struct kva_mark *m = a->marks;

	if (is_at(a, m))
		return (kv_arena_mark_t){ m->serial, m };
	m = kva_arena_alloc(a, sizeof *m, KV_ARENA_ALIGNMENT);
	if (!m)
		return (kv_arena_mark_t){ 0, NULL };
	kva_window_untally(&a->front.window, sizeof *m);
	a->bytes.records += kva_round_up(sizeof *m, KV_ARENA_ALIGNMENT);
	kva_arena_save(a, &state);	/* what a rewind keeps: m too */
	*m = (struct kva_mark){
		.older = a->marks,
		.serial = ++a->mark_serial,
		.state = state,
		.defers = a->defers,
		.cell = a->cell,
	};
	a->marks = m;
	a->cell = NULL;			/* a generation begins */
	return (kv_arena_mark_t){ m->serial, m };
}

static struct kva_mark *
find(const struct kva_arena *a, kv_arena_mark_t mark)
{
	struct kva_mark *m = a->marks;

	while (m && (m != mark.record || m->serial != mark.serial))
		m = m->older;
	return m;
}

int
kva_scope_rewind(struct kva_arena *a, kv_arena_mark_t mark)
{
	struct kva_mark *m = mark.serial ? find(a, mark) : NULL;

	if (!m) {
		errno = EINVAL;
		return -1;
	}
	kva_scope_run_defers(a, m->defers);
	end_generation(a->cell);
	for (; a->marks != m; a->marks = a->marks->older)
		end_generation(a->marks->cell);
	a->cell = NULL;
	kva_arena_restore(a, &m->state);
	return 0;
}

static void
end_generations(struct kva_arena *a)
{
	end_generation(a->cell);
	for (; a->marks; a->marks = a->marks->older)
		end_generation(a->marks->cell);
	a->cell = NULL;
}

void
kva_scope_end(struct kva_arena *a)
{
	kva_scope_run_defers(a, NULL);
	end_generations(a);
}

void
kva_scope_absorb(struct kva_arena *into, struct kva_arena *from)
{
	struct kva_defer **link = &from->defers;

	end_generations(from);
	while (*link)
		link = &(*link)->next;
	*link = into->defers;
	into->defers = from->defers;
	from->defers = NULL;
}
