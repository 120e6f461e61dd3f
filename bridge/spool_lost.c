#include "spool_lost.h"

#include "../common/log.h"
#include "spool.h"

#include <stdlib.h>
#include <string.h>

/* A copy that fills the disk up would stop the spool for what comes in: the log must still have room, twice. */
enum { DISK_RESERVE_BYTES = 2 * SPOOL_LOG_BYTES };

struct lost_file {
    struct spool_file *file;
    int64_t waiting;   /* not counting what has been copied */
    int64_t copied_id; /* up to this id they are elsewhere, whether they are still in the file or not */
    bool deleted;      /* else moved */
    bool done;         /* nothing in it is wanted any more: see let_go */
    bool stale_logged;
    /* The last copy, if nobody knows how it ended: done, all of these are in the file that it went into. */
    int64_t unknown_ids[SPOOL_COPY_ROWS];
    size_t unknown; /* 0: there is none */
    struct lost_file *next;
};

void spool_lost_init(struct spool_lost *lost, const char *path, struct bridge_metrics *metrics)
{
    *lost = (struct spool_lost){.path = path, .metrics = metrics};
}

bool spool_lost_any(const struct spool_lost *lost)
{
    return lost->first != NULL;
}

int64_t spool_lost_waiting(const struct spool_lost *lost)
{
    int64_t waiting = 0;

    for (const struct lost_file *one = lost->first; one; one = one->next)
        waiting += one->waiting;
    return waiting;
}

static const char *word_of(const struct lost_file *one)
{
    return one->deleted ? "deleted" : "moved";
}

/* Out of the list, and closed. */
static void remove_file(struct spool_lost *lost, struct lost_file *one)
{
    struct lost_file **link = &lost->first;

    while (*link != one)
        link = &(*link)->next;
    *link = one->next;
    spool_file_close(one->file);
    free(one);
}

/* Nothing in it is wanted any more. Its log goes before it, if it still lies beside the name: the next file there would
   take it for its own, and be damaged. Until that succeeds the file stays, and spool_lost_clear_place tries again. */
static void let_go(struct spool_lost *lost, struct lost_file *one)
{
    struct error ignored;

    one->waiting = 0;
    one->done = !spool_file_detach(one->file, &ignored) && !spool_file_damaged(one->file);
    if (!one->done)
        remove_file(lost, one);
}

/* What is still in it is not known to be lost, if it was moved, but nobody here has it. */
static void note_given_up(const struct spool_lost *lost, const struct lost_file *one, const char *why)
{
    log_error("messages in the spool %s, which was %s while in use: %lld; %s: %s", lost->path, word_of(one),
              (long long)one->waiting, why,
              one->deleted ? "they are lost" : "they are in the file that was moved, and are not sent");
    bridge_count(lost->metrics, METRIC_SPOOL_SET_ASIDE, one->waiting);
}

static void give_up(struct spool_lost *lost, struct lost_file *one, const char *why)
{
    note_given_up(lost, one, why);
    let_go(lost, one);
}

static void note_done(struct spool_lost *lost, struct lost_file *one)
{
    log_info("the spool %s that was %s while in use: all that was in it is in the new one, or sent: nothing of it is "
             "lost",
             lost->path, word_of(one));
    let_go(lost, one);
}

void spool_lost_clear(struct spool_lost *lost)
{
    while (lost->first) {
        if (!lost->first->done)
            note_given_up(lost, lost->first, "the program stops");
        remove_file(lost, lost->first);
    }
}

bool spool_lost_add(struct spool_lost *lost, struct spool_file *file, int64_t waiting, bool deleted)
{
    struct lost_file *one = calloc(1, sizeof *one);
    struct lost_file **link = &lost->first;

    if (!one)
        return false;
    while (*link)
        link = &(*link)->next;
    *one = (struct lost_file){.file = file, .waiting = waiting, .deleted = deleted};
    *link = one;
    if (waiting == 0) {
        log_warn("the spool %s was %s while in use: nothing was in it; a new one is begun", lost->path, word_of(one));
        let_go(lost, one);
        return true;
    }
    log_error("the spool %s was %s while in use: its messages, %lld, are copied into a new one from the file that is "
              "still open: do not stop the bridge before that",
              lost->path, word_of(one), (long long)waiting);
    return true;
}

/* It can be opened by its name again, once it is closed: with all that its log holds, which has another name now, or
   none. */
static bool give_back(struct spool_lost *lost, struct lost_file *one, int64_t *returned, struct error *error)
{
    struct error problem = {0};

    if (!spool_file_make_whole(one->file, &problem)) {
        error_set(error, problem.code, "the spool %s that was moved while in use is back, but cannot be used yet: %s",
                  lost->path, problem.text);
        if (spool_file_damaged(one->file))
            give_up(lost, one, problem.text);
        return false;
    }
    log_info("the spool %s that was moved while in use is back: it is used again", lost->path);
    *returned += one->waiting;
    remove_file(lost, one);
    return true;
}

bool spool_lost_clear_place(struct spool_lost *lost, int64_t *returned, struct error *error)
{
    struct lost_file *next;
    bool done = true;

    /* All of them first: the log of one may lie beside the name of another. */
    for (struct lost_file *one = lost->first; one && done; one = one->next)
        done = spool_file_detach(one->file, error);
    for (struct lost_file *one = lost->first; one && done; one = next) {
        next = one->next;
        if (spool_file_is_at(one->file, lost->path))
            done = give_back(lost, one, returned, error);
        else if (one->done)
            remove_file(lost, one);
    }
    return done;
}

/* ---- copying ---- */

/* From the first that has something and can be read, which is *from; NULL: none has. False with *error as
   spool_lost_read. */
static bool read_from(struct spool_lost *lost, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                      size_t *count, struct lost_file **from, struct error *error)
{
    struct lost_file *next;
    bool done = true;

    *count = 0;
    *from = NULL;
    for (struct lost_file *one = lost->first; one && *count == 0; one = next) {
        const int64_t behind = after_id > one->copied_id ? after_id : one->copied_id;

        next = one->next;
        if (one->done)
            continue;
        *from = one;
        if (spool_file_read(one->file, behind, max, max_bytes, out, count, error))
            continue;
        *count = 0;
        done = false;
        if (spool_file_damaged(one->file))
            give_up(lost, one, error->text);
    }
    return done || *count > 0;
}

static bool is_in_place(const struct spool_file *file)
{
    switch (spool_file_presence(file)) {
    case SPOOL_PRESENT:
    case SPOOL_LOG_GONE:
        return true;
    case SPOOL_MOVED:
    case SPOOL_DELETED:
        break;
    }
    return false;
}

/* They are in `to`; so many of them were still here. A file that still has a name is not to bring them again. */
static void note_copied(struct spool_lost *lost, struct lost_file *one, const int64_t *ids, size_t count, int64_t here,
                        const struct spool_file *to)
{
    struct spool_change change;
    struct error error = {0};

    one->waiting -= here;
    one->copied_id = ids[count - 1];
    lost->stuck_logged = false;
    if (!one->deleted && is_in_place(to) &&
        spool_file_delete(one->file, ids, count, &change, &error) != SPOOL_WRITTEN && !one->stale_logged) {
        log_warn("%s: messages in the file that was moved are in the new spool too: should it be used once more they "
                 "are sent again, and count once",
                 error.text);
        one->stale_logged = true;
    }
    if (one->waiting == 0)
        note_done(lost, one);
    else
        (void)spool_file_checkpoint(one->file, &error); /* it is tried again */
}

static enum spool_copy copy_rows(struct spool_lost *lost, struct lost_file *from, const struct spooled *rows,
                                 size_t count, struct spool_file *to, int64_t spare_id, size_t *copied,
                                 struct error *error)
{
    int64_t ids[SPOOL_COPY_ROWS];
    struct spool_change change = {0};
    enum spool_write result;

    for (size_t i = 0; i < count; i++)
        ids[i] = rows[i].id;
    if (!spool_file_disk_has(to, DISK_RESERVE_BYTES)) {
        error_set(error, ERROR_UNAVAILABLE, "the disk is almost full: make room");
        return SPOOL_COPY_NO_ROOM;
    }
    result = spool_file_insert_copies(to, rows, count, spare_id, &change, error);
    if (result == SPOOL_WRITE_UNKNOWN) {
        from->unknown = change.rows;
        memcpy(from->unknown_ids, ids, sizeof ids[0] * change.rows);
    }
    if (result != SPOOL_WRITTEN)
        return SPOOL_COPY_FAILED;
    if (change.rows == 0) {
        error_set(error, ERROR_UNAVAILABLE, "there is no room within SPOOL_MAX_BYTES until RabbitMQ takes events");
        return SPOOL_COPY_NO_ROOM;
    }
    note_copied(lost, from, ids, change.rows, (int64_t)change.rows, to);
    *copied = change.rows;
    return SPOOL_COPIED;
}

static void note_stuck(struct spool_lost *lost, const struct error *error)
{
    if (!lost->stuck_logged && lost->first)
        log_error("messages of the spool %s that was %s while in use, %lld, cannot be copied into the new one yet: %s; "
                  "it is tried again: do not stop the bridge before that",
                  lost->path, word_of(lost->first), (long long)spool_lost_waiting(lost), error->text);
    lost->stuck_logged = true;
}

/* They can be read, and have nothing: somebody else has taken it out. */
static enum spool_copy give_up_all(struct spool_lost *lost, struct error *error)
{
    struct lost_file *next;

    error_set(error, ERROR_UNAVAILABLE, "they are not in it any more");
    for (struct lost_file *one = lost->first; one; one = next) {
        next = one->next;
        give_up(lost, one, error->text);
    }
    return SPOOL_COPY_UNREAD;
}

enum spool_copy spool_lost_copy(struct spool_lost *lost, struct spool_file *to, int64_t spare_id, size_t *copied,
                                struct error *error)
{
    struct spooled rows[SPOOL_COPY_ROWS];
    enum spool_copy result = SPOOL_COPY_UNREAD;
    struct lost_file *from;
    size_t count;

    if (read_from(lost, 0, SPOOL_COPY_ROWS, SPOOL_COPY_BYTES, rows, &count, &from, error)) {
        if (count == 0)
            return give_up_all(lost, error);
        result = copy_rows(lost, from, rows, count, to, spare_id, copied, error);
    }
    for (size_t i = 0; i < count; i++)
        ticket_release(rows[i].ticket);
    if (result == SPOOL_COPY_NO_ROOM || result == SPOOL_COPY_UNREAD)
        note_stuck(lost, error);
    return result;
}

/* Of those that were copied nobody knew how; what cannot be read has not been drained. */
static int64_t count_unknown(struct lost_file *one)
{
    int64_t here = 0;

    for (size_t i = 0; i < one->unknown; i++) {
        bool there = true;
        struct error ignored;

        here += !spool_file_has(one->file, one->unknown_ids[i], &there, &ignored) || there;
    }
    return here;
}

/* Whether `to` has all of them. The first alone says little: another file may have come into the place meanwhile, such
   as one that once had some of them. (An id that was taken is there, too.) */
static bool has_unknown(const struct lost_file *one, struct spool_file *to, bool *out, struct error *error)
{
    bool there = true;

    for (size_t i = 0; i < one->unknown && there; i++) {
        if (!spool_file_has(to, one->unknown_ids[i], &there, error))
            return false;
    }
    *out = there;
    return true;
}

bool spool_lost_settle(struct spool_lost *lost, struct spool_file *to, int64_t *copied, struct error *error)
{
    struct lost_file *next;

    for (struct lost_file *one = lost->first; one; one = next) {
        const size_t rows = one->unknown;
        bool there = false;
        int64_t here;

        next = one->next;
        if (rows == 0)
            continue;
        if (!has_unknown(one, to, &there, error))
            return false;
        here = there ? count_unknown(one) : 0;
        one->unknown = 0;
        if (there)
            note_copied(lost, one, one->unknown_ids, rows, here, to);
        *copied += here;
    }
    return true;
}

void spool_lost_forget_unknown(struct spool_lost *lost)
{
    for (struct lost_file *one = lost->first; one; one = one->next)
        one->unknown = 0;
}

/* ---- for the drain ---- */

bool spool_lost_read(struct spool_lost *lost, int64_t after_id, size_t max, size_t max_bytes, struct spooled *out,
                     size_t *count, struct error *error)
{
    struct lost_file *from;

    return read_from(lost, after_id, max, max_bytes, out, count, &from, error);
}

bool spool_lost_delete(struct spool_lost *lost, const int64_t *ids, size_t count, size_t *deleted, struct error *error)
{
    struct lost_file *next;
    bool done = true;

    for (struct lost_file *one = lost->first; one; one = next) {
        struct spool_change change = {0};
        struct error ignored;
        size_t copied = 0;

        next = one->next;
        if (one->done)
            continue;
        while (copied < count && ids[copied] <= one->copied_id)
            copied++;
        if (spool_file_delete(one->file, ids + copied, count - copied, &change, error) != SPOOL_WRITTEN) {
            done = false;
            if (spool_file_damaged(one->file))
                give_up(lost, one, error->text);
            continue;
        }
        *deleted += change.rows;
        one->waiting -= (int64_t)change.rows;
        bridge_count(lost->metrics, METRIC_SPOOL_DRAINED, (int64_t)change.rows);
        if (one->waiting == 0)
            note_done(lost, one);
        else
            (void)spool_file_checkpoint(one->file, &ignored); /* it is tried again */
    }
    return done;
}
