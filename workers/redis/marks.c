#include "marks.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEY_SIZE = 300 };

static const char marking[] = "marking a message";
static const char taking_off[] = "taking a mark off";

/* A host may run many workers, and number its processes again after a restart. */
void redis_marks_init(struct redis_marks *marks, struct redis_primary *session, const char *prefix)
{
    char host[65] = "";

    *marks = (struct redis_marks){.session = session, .prefix = prefix};
    if (gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "localhost");
    snprintf(marks->worker, sizeof marks->worker, "%s:%ld:%" PRId64 ":%" PRId64, host, (long)getpid(), clock_wall_ms(),
             clock_monotonic_us());
}

static void mark_key(const struct redis_marks *marks, const char *name, char key[KEY_SIZE])
{
    snprintf(key, KEY_SIZE, "%.128sdrops:marks:%.128s", marks->prefix, name);
}

/* Counts the marks of others, and finds out whether one could be set now: the SET changes nothing, but is refused where
   the mark would be. */
static bool count_marks(const struct redis_marks *marks, const char *key, uint64_t *others, struct error *error)
{
    static const char doing[] = "looking at the marks of a message";
    static const char script[] =
        "local k = KEYS[1] local kind = redis.call('TYPE', k).ok "
        "if kind ~= 'set' and kind ~= 'none' then "
        "return redis.error_reply('KEY ' .. k .. ': WRONGTYPE it holds a ' .. kind .. ', not a set') end "
        "redis.call('SET', KEYS[2], '1', 'XX') redis.call('SREM', k, ARGV[1]) return redis.call('SCARD', k)";
    char probe[KEY_SIZE];
    const char *eval[] = {"EVAL", script, "2", key, probe, marks->worker};
    struct redis_answer answer;

    snprintf(probe, sizeof probe, "%.256sdrops:probe", marks->prefix);
    if (!redis_primary_ask(marks->session, doing, 6, eval, NULL, &answer, error))
        return false;
    if (answer.kind != REDIS_ANSWER_INTEGER || answer.integer < 0)
        return redis_primary_unexpected(marks->session, doing, error);
    *others = (uint64_t)answer.integer;
    return true;
}

/* Hands the command over to the system, in one piece with what is posted before it is let go. */
static bool post(const struct redis_marks *marks, const char *doing, int argc, const char **argv, struct error *error)
{
    if (redis_connection_post(redis_primary_connection(marks->session), doing, argc, argv, error))
        return true;
    redis_primary_drop(marks->session);
    return false;
}

bool redis_marks_set(struct redis_marks *marks, const char *name, uint64_t enough, uint64_t *earlier_marks,
                     struct error *error)
{
    static const char script[] = "redis.call('SADD', KEYS[1], ARGV[1]) redis.call('EXPIRE', KEYS[1], ARGV[2]) return 1";
    char key[KEY_SIZE], ttl[16];
    const char *eval[] = {"EVAL", script, "1", key, marks->worker, ttl};
    uint64_t others = 0;

    mark_key(marks, name, key);
    snprintf(ttl, sizeof ttl, "%d", REDIS_MARK_TTL_S);
    if (!redis_primary_open(marks->session, error) || !count_marks(marks, key, &others, error))
        return false;
    if (others < enough) {
        redis_connection_hold_back(redis_primary_connection(marks->session), true);
        if (!post(marks, marking, 6, eval, error))
            return false;
    }
    *earlier_marks = others;
    return true;
}

static bool collect(const struct redis_marks *marks, struct redis_answer *answer, struct error *error)
{
    if (redis_connection_collect(redis_primary_connection(marks->session), taking_off, answer, error))
        return true;
    redis_primary_drop(marks->session);
    return false;
}

/* Sends what takes the mark off behind the mark, and reads both answers. A mark that was refused is none. */
static bool take_off_held_back(const struct redis_marks *marks, int argc, const char **argv, struct error *error)
{
    struct redis_answer marked, taken_off;

    if (!post(marks, taking_off, argc, argv, error))
        return false;
    redis_connection_hold_back(redis_primary_connection(marks->session), false);
    return collect(marks, &marked, error) && collect(marks, &taken_off, error) &&
           redis_primary_judge(marks->session, taking_off, &taken_off, error);
}

static bool mark_waits(const struct redis_marks *marks)
{
    return redis_primary_connected(marks->session) &&
           redis_connection_owed(redis_primary_connection(marks->session)) > 0;
}

bool redis_marks_take_off(struct redis_marks *marks, const char *name, bool all, struct error *error)
{
    char key[KEY_SIZE];
    const char *every[] = {"DEL", key};
    const char *ours[] = {"SREM", key, marks->worker};
    const char **command = all ? every : ours;
    int argc = all ? 2 : 3;
    struct redis_answer ignored;
    struct error reason = {0};
    bool done;

    mark_key(marks, name, key);
    if (mark_waits(marks))
        done = take_off_held_back(marks, argc, command, &reason);
    else
        done = redis_primary_open(marks->session, &reason) &&
               redis_primary_ask(marks->session, taking_off, argc, command, NULL, &ignored, &reason);
    if (done || strstr(reason.text, "WRONGTYPE")) /* then no mark of ours is there */
        return true;
    *error = reason;
    return false;
}
