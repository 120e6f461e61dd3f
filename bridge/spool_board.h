/* What everybody may know of the spool, posted by those who work on its file: its state, what waits in it, what does
   not fit, whether it is refused for good. Any thread; nothing here waits for the disk. */
#ifndef DROPBRIDGE_SPOOL_BOARD_H
#define DROPBRIDGE_SPOOL_BOARD_H

#include "../common/error.h"
#include "bridge_metrics.h"
#include "spool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_board;

/* SPOOL_OPENING, with nothing in it. NULL without memory. `metrics` must outlive it. */
struct spool_board *spool_board_new(struct bridge_metrics *metrics);
/* NULL is fine. */
void spool_board_free(struct spool_board *board);

void spool_board_set_state(struct spool_board *board, enum spool_state state, const char *problem);
enum spool_state spool_board_state(struct spool_board *board);
void spool_board_status(struct spool_board *board, struct spool_status *out);

/* Messages; on /metrics too. */
void spool_board_set_waiting(struct spool_board *board, int64_t waiting);
int64_t spool_board_waiting(struct spool_board *board);
void spool_board_set_bytes(struct spool_board *board, int64_t bytes);

/* Rows of so many bytes or more do not fit. SIZE_MAX: all do. */
void spool_board_set_too_large(struct spool_board *board, size_t row_size);
/* As it was set, but 0 (nothing fits) while the state is SPOOL_IS_FULL. */
size_t spool_board_too_large(struct spool_board *board);

/* Once: it is known that the file will never open. */
void spool_board_refuse(struct spool_board *board, const struct error *why);
/* Whether that was said, with *error. */
bool spool_board_refused(struct spool_board *board, struct error *error);

/* Whether what waits can be read at all. */
void spool_board_set_readable(struct spool_board *board, bool readable);
/* Waits up to timeout_ms for something that waits and can be read; true if there is. */
bool spool_board_wait(struct spool_board *board, int64_t timeout_ms);
/* Ends that, or the next one. */
void spool_board_wake(struct spool_board *board);

/* The writer has ended; and the wait for that: false after timeout_ms. */
void spool_board_end(struct spool_board *board);
bool spool_board_await_end(struct spool_board *board, int64_t timeout_ms);

#endif
