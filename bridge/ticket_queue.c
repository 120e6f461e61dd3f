#include "ticket_queue.h"

#include "../common/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The state is one word, so that whoever waits for it sleeps on it (a futex), and who settles it makes a system call only if
   somebody sleeps. */
enum ticket_state { TICKET_IDLE, TICKET_QUEUED, TICKET_SENT, TICKET_SETTLED, TICKET_ABANDONED, TICKET_STATES = 0xff };
enum { TICKET_WAITED = 0x100, TICKET_OUTCOME = 16 /* bits that it is shifted by */ };

struct ticket {
    atomic_int shares;
    enum ticket_target target;
    bool returned;
    struct envelope envelope;
    char *reject_texts;        /* owned: the reason and, behind its NUL, the detail; NULL for an event */
    const char *reject_detail; /* within reject_texts */
    struct ticket *next;       /* in the queue, under its mutex */

    _Atomic uint32_t word; /* enum ticket_state, whether somebody sleeps, the outcome once it is settled */

    size_t body_len;
    uint8_t body[];
};

struct ticket_queue {
    pthread_mutex_t mutex; /* guards the list, the counts and `sleeping` */
    struct ticket *first;
    struct ticket *last;
    size_t tickets;
    size_t bytes;
    size_t max_tickets;
    size_t max_bytes;
    bool sleeping;
    _Atomic int gate;
    int fd;
};

struct ticket *ticket_new(size_t capacity)
{
    struct ticket *ticket = malloc(sizeof *ticket + capacity);

    if (!ticket)
        return NULL;
    memset(ticket, 0, sizeof *ticket);
    atomic_init(&ticket->shares, 1);
    return ticket;
}

struct ticket *ticket_grow(struct ticket *ticket, size_t capacity)
{
    return realloc(ticket, sizeof *ticket + capacity);
}

void ticket_release(struct ticket *ticket)
{
    if (!ticket || atomic_fetch_sub_explicit(&ticket->shares, 1, memory_order_acq_rel) != 1)
        return;
    free(ticket->reject_texts);
    free(ticket);
}

struct ticket *ticket_copy(const struct ticket *ticket)
{
    struct ticket *copy = ticket_new(ticket->body_len);

    if (!copy)
        return NULL;
    memcpy(copy->body, ticket->body, ticket->body_len);
    copy->body_len = ticket->body_len;
    if (ticket->target == TICKET_EVENT) {
        ticket_set_event(copy, &ticket->envelope);
    } else if (!ticket_set_rejected(copy, &ticket->envelope, ticket->reject_texts, ticket->reject_detail)) {
        ticket_release(copy);
        return NULL;
    }
    return copy;
}

uint8_t *ticket_body(struct ticket *ticket)
{
    return ticket->body;
}

void ticket_set_body_len(struct ticket *ticket, size_t len)
{
    ticket->body_len = len;
}

struct bytes ticket_body_bytes(const struct ticket *ticket)
{
    return bytes_of(ticket->body, ticket->body_len);
}

void ticket_set_event(struct ticket *ticket, const struct envelope *envelope)
{
    ticket->target = TICKET_EVENT;
    ticket->envelope = *envelope;
}

bool ticket_set_rejected(struct ticket *ticket, const struct envelope *envelope, const char *reason, const char *detail)
{
    const size_t reason_size = strlen(reason) + 1;
    const size_t detail_size = strlen(detail) + 1;
    char *texts = malloc(reason_size + detail_size);

    if (!texts)
        return false;
    memcpy(texts, reason, reason_size);
    memcpy(texts + reason_size, detail, detail_size);
    free(ticket->reject_texts);
    ticket->reject_texts = texts;
    ticket->reject_detail = texts + reason_size;
    ticket->target = TICKET_REJECTED;
    ticket->envelope = *envelope;
    return true;
}

enum ticket_target ticket_target(const struct ticket *ticket)
{
    return ticket->target;
}

const struct envelope *ticket_envelope(const struct ticket *ticket)
{
    return &ticket->envelope;
}

const char *ticket_reject_reason(const struct ticket *ticket)
{
    return ticket->reject_texts;
}

const char *ticket_reject_detail(const struct ticket *ticket)
{
    return ticket->reject_detail;
}

void ticket_mark_returned(struct ticket *ticket)
{
    ticket->returned = true;
}

bool ticket_is_returned(const struct ticket *ticket)
{
    return ticket->returned;
}

/* False if nobody waits. */
static bool tell(struct ticket *ticket, enum publish_outcome outcome)
{
    uint32_t was = atomic_load(&ticket->word);

    do {
        if ((was & TICKET_STATES) != TICKET_QUEUED && (was & TICKET_STATES) != TICKET_SENT)
            return false;
    } while (!atomic_compare_exchange_weak(&ticket->word, &was, TICKET_SETTLED | (uint32_t)outcome << TICKET_OUTCOME));
    if (was & TICKET_WAITED)
        (void)syscall(SYS_futex, &ticket->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return true;
}

bool ticket_settle(struct ticket *ticket, enum publish_outcome outcome)
{
    bool waited_for;

    waited_for = tell(ticket, outcome);
    ticket_release(ticket);
    return waited_for;
}

void ticket_give_up(struct ticket *ticket)
{
    (void)tell(ticket, PUBLISH_TIMEOUT);
}

struct ticket_queue *ticket_queue_new(size_t max_tickets, size_t max_bytes, struct error *error)
{
    struct ticket_queue *queue = calloc(1, sizeof *queue);

    if (!queue) {
        error_set(error, ERROR_NO_MEMORY, "no memory for a queue of tickets");
        return NULL;
    }
    queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->fd < 0) {
        error_set(error, ERROR_INTERNAL, "eventfd: %s", strerror(errno));
        free(queue);
        return NULL;
    }
    pthread_mutex_init(&queue->mutex, NULL);
    queue->max_tickets = max_tickets;
    queue->max_bytes = max_bytes;
    atomic_init(&queue->gate, GATE_AWAY);
    return queue;
}

/* Takes the whole list out. */
static struct ticket *take_all(struct ticket_queue *queue)
{
    struct ticket *list;

    pthread_mutex_lock(&queue->mutex);
    list = queue->first;
    queue->first = NULL;
    queue->last = NULL;
    queue->tickets = 0;
    queue->bytes = 0;
    pthread_mutex_unlock(&queue->mutex);
    return list;
}

static void fail_waiting(struct ticket_queue *queue)
{
    struct ticket *ticket = take_all(queue);

    while (ticket) {
        struct ticket *next = ticket->next;

        ticket_settle(ticket, PUBLISH_AWAY);
        ticket = next;
    }
}

void ticket_queue_free(struct ticket_queue *queue)
{
    if (!queue)
        return;
    fail_waiting(queue);
    close(queue->fd);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

/* True: the queue holds a share. */
static bool enqueue(struct ticket_queue *queue, struct ticket *ticket, enum publish_outcome *outcome)
{
    bool taken = false;
    bool wake = false;

    pthread_mutex_lock(&queue->mutex);
    /* Read under the mutex: set_gate drains the list under it, so nothing slips in behind a shut gate. */
    if (ticket_queue_gate(queue) != GATE_OPEN) {
        *outcome = PUBLISH_AWAY;
    } else if (queue->tickets >= queue->max_tickets || ticket->body_len > queue->max_bytes - queue->bytes) {
        *outcome = PUBLISH_FULL;
    } else {
        taken = true;
        ticket->next = NULL;
        atomic_fetch_add_explicit(&ticket->shares, 1, memory_order_relaxed);
        if (queue->last)
            queue->last->next = ticket;
        else
            queue->first = ticket;
        queue->last = ticket;
        queue->tickets++;
        queue->bytes += ticket->body_len;
        wake = queue->sleeping;
        queue->sleeping = false;
    }
    pthread_mutex_unlock(&queue->mutex);
    if (wake)
        ticket_queue_wake(queue);
    return taken;
}

bool ticket_wait(struct ticket *ticket, int64_t until_ms)
{
    const struct timespec until = clock_timespec_of_ms(until_ms);
    uint32_t word = atomic_load(&ticket->word);

    while ((word & TICKET_STATES) != TICKET_SETTLED) {
        if (!(word & TICKET_WAITED) && !atomic_compare_exchange_weak(&ticket->word, &word, word | TICKET_WAITED))
            continue;
        /* Against CLOCK_MONOTONIC (futex(2)). It returns at once if the word is another by now. */
        if (syscall(SYS_futex, &ticket->word, FUTEX_WAIT_BITSET_PRIVATE, word | TICKET_WAITED, &until, NULL,
                    FUTEX_BITSET_MATCH_ANY) != 0 &&
            errno == ETIMEDOUT)
            return (atomic_load(&ticket->word) & TICKET_STATES) == TICKET_SETTLED;
        word = atomic_load(&ticket->word);
    }
    return true;
}

enum publish_outcome ticket_await(struct ticket *ticket, int64_t deadline_ms)
{
    uint32_t word;

    (void)ticket_wait(ticket, deadline_ms);
    word = atomic_load(&ticket->word);
    do {
        if ((word & TICKET_STATES) == TICKET_SETTLED)
            return (enum publish_outcome)(word >> TICKET_OUTCOME);
    } while (!atomic_compare_exchange_weak(&ticket->word, &word, TICKET_ABANDONED));
    return PUBLISH_TIMEOUT;
}

bool ticket_queue_offer(struct ticket_queue *queue, struct ticket *ticket, enum publish_outcome *outcome)
{
    if (ticket_queue_gate(queue) != GATE_OPEN) {
        *outcome = PUBLISH_AWAY;
        return false;
    }
    /* Before anyone else sees it; after this the ticket may not be moved. */
    atomic_store(&ticket->word, TICKET_QUEUED);
    ticket->returned = false;
    return enqueue(queue, ticket, outcome);
}

enum publish_outcome ticket_queue_submit(struct ticket_queue *queue, struct ticket *ticket, int64_t deadline_ms)
{
    enum publish_outcome outcome;

    return ticket_queue_offer(queue, ticket, &outcome) ? ticket_await(ticket, deadline_ms) : outcome;
}

enum gate ticket_queue_gate(const struct ticket_queue *queue)
{
    return (enum gate)atomic_load_explicit(&queue->gate, memory_order_relaxed);
}

void ticket_queue_set_gate(struct ticket_queue *queue, enum gate gate)
{
    pthread_mutex_lock(&queue->mutex);
    atomic_store_explicit(&queue->gate, (int)gate, memory_order_relaxed);
    pthread_mutex_unlock(&queue->mutex);
    if (gate != GATE_OPEN)
        fail_waiting(queue);
}

/* Marks the ticket as on its way. False if its waiter has gone. */
static bool claim(struct ticket *ticket)
{
    uint32_t was = atomic_load(&ticket->word);

    do {
        if ((was & TICKET_STATES) != TICKET_QUEUED)
            return false;
    } while (!atomic_compare_exchange_weak(&ticket->word, &was, TICKET_SENT | (was & TICKET_WAITED)));
    return true;
}

size_t ticket_queue_take(struct ticket_queue *queue, struct ticket **out, size_t max)
{
    size_t taken = 0;
    size_t kept = 0;

    pthread_mutex_lock(&queue->mutex);
    while (taken < max && queue->first) {
        struct ticket *ticket = queue->first;

        queue->first = ticket->next;
        if (!queue->first)
            queue->last = NULL;
        queue->tickets--;
        queue->bytes -= ticket->body_len;
        out[taken++] = ticket;
    }
    pthread_mutex_unlock(&queue->mutex);
    for (size_t i = 0; i < taken; i++) {
        if (claim(out[i]))
            out[kept++] = out[i];
        else
            ticket_release(out[i]);
    }
    return kept;
}

int ticket_queue_fd(const struct ticket_queue *queue)
{
    return queue->fd;
}

bool ticket_queue_sleep(struct ticket_queue *queue)
{
    bool empty;

    pthread_mutex_lock(&queue->mutex);
    empty = queue->first == NULL;
    queue->sleeping = empty;
    pthread_mutex_unlock(&queue->mutex);
    return empty;
}

void ticket_queue_awake(struct ticket_queue *queue)
{
    eventfd_t count;

    pthread_mutex_lock(&queue->mutex);
    queue->sleeping = false;
    pthread_mutex_unlock(&queue->mutex);
    /* Non-blocking: failing with EAGAIN means that it was empty. */
    (void)eventfd_read(queue->fd, &count);
}

void ticket_queue_wake(struct ticket_queue *queue)
{
    /* Fails only when 2^64 - 1 wakes are pending: it is readable then. */
    (void)eventfd_write(queue->fd, 1);
}
