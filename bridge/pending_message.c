#include "pending_message.h"

#include "common/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One word says where a message is, so that whoever waits for it sleeps on it (a futex), and who settles it makes a system call
   only if somebody sleeps. */
enum { AT_HOME, QUEUED, TAKEN, SETTLED, ABANDONED, PLACES = 0xff };
enum { WAITED = 0x100, OUTCOME = 16 /* bits that it is shifted by */ };

struct pending_message *message_new(size_t capacity)
{
    struct pending_message *message = malloc(sizeof *message + capacity);

    if (!message)
        return NULL;
    memset(message, 0, sizeof *message);
    atomic_init(&message->shares, 1);
    return message;
}

struct pending_message *message_grow(struct pending_message *message, size_t capacity)
{
    return realloc(message, sizeof *message + capacity);
}

void message_release(struct pending_message *message)
{
    if (!message || atomic_fetch_sub_explicit(&message->shares, 1, memory_order_acq_rel) != 1)
        return;
    free(message);
}

struct pending_message *message_copy(const struct pending_message *message)
{
    struct pending_message *copy = message_new(message->body_len);

    if (!copy)
        return NULL;
    memcpy(copy->body, message->body, message->body_len);
    copy->body_len = message->body_len;
    message_set_rejected(copy, &message->envelope, message->reject_reason, message->reject_detail);
    copy->target = message->target;
    return copy;
}

struct bytes message_body_bytes(const struct pending_message *message)
{
    return bytes_of(message->body, message->body_len);
}

void message_set_event(struct pending_message *message, const struct envelope *envelope)
{
    message->target = MESSAGE_EVENT;
    message->envelope = *envelope;
}

void message_set_rejected(struct pending_message *message, const struct envelope *envelope, const char *reason, const char *detail)
{
    message->target = MESSAGE_REJECTED;
    message->envelope = *envelope;
    (void)snprintf(message->reject_reason, sizeof message->reject_reason, "%s", reason);
    (void)snprintf(message->reject_detail, sizeof message->reject_detail, "%s", detail);
}

/* ---- the word ---- */

void message_begin(struct pending_message *message)
{
    atomic_store(&message->word, QUEUED);
    message->returned = false;
}

bool message_claim(struct pending_message *message)
{
    uint32_t was = atomic_load(&message->word);

    do {
        if ((was & PLACES) != QUEUED)
            return false;
    } while (!atomic_compare_exchange_weak(&message->word, &was, TAKEN | (was & WAITED)));
    return true;
}

/* False if nobody waits. */
static bool tell(struct pending_message *message, enum publish_outcome outcome)
{
    uint32_t was = atomic_load(&message->word);

    do {
        if ((was & PLACES) != QUEUED && (was & PLACES) != TAKEN)
            return false;
    } while (!atomic_compare_exchange_weak(&message->word, &was, SETTLED | (uint32_t)outcome << OUTCOME));
    if (was & WAITED)
        (void)syscall(SYS_futex, &message->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return true;
}

bool message_settle(struct pending_message *message, enum publish_outcome outcome)
{
    bool waited_for = tell(message, outcome);

    message_release(message);
    return waited_for;
}

void message_give_up(struct pending_message *message)
{
    (void)tell(message, PUBLISH_TIMEOUT);
}

bool message_wait(struct pending_message *message, int64_t until_ms)
{
    const struct timespec until = clock_timespec_of_ms(until_ms);
    uint32_t word = atomic_load(&message->word);

    while ((word & PLACES) != SETTLED) {
        if (!(word & WAITED) && !atomic_compare_exchange_weak(&message->word, &word, word | WAITED))
            continue;
        /* Against CLOCK_MONOTONIC (futex(2)). It returns at once if the word is another by now. */
        if (syscall(SYS_futex, &message->word, FUTEX_WAIT_BITSET_PRIVATE, word | WAITED, &until, NULL,
                    FUTEX_BITSET_MATCH_ANY) != 0 &&
            errno == ETIMEDOUT)
            return (atomic_load(&message->word) & PLACES) == SETTLED;
        word = atomic_load(&message->word);
    }
    return true;
}

enum publish_outcome message_await(struct pending_message *message, int64_t deadline_ms)
{
    uint32_t word;

    (void)message_wait(message, deadline_ms);
    word = atomic_load(&message->word);
    do {
        if ((word & PLACES) == SETTLED)
            return (enum publish_outcome)(word >> OUTCOME);
    } while (!atomic_compare_exchange_weak(&message->word, &word, ABANDONED));
    return PUBLISH_TIMEOUT;
}
