#include "review.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KEY_SIZE = 300, SETTING_SIZE = 32 };

/* A worker that has ended is not compared with for longer. Each look writes it again, if it is ours. */
#define SHARED_FOR_MS "120000"

static const char lost[] = "a crash of it can lose counted events";
static const char forgotten[] = "it may evict keys, and a forgotten drop is counted again";

/* A server that may lose the last second after a crash loses what RabbitMQ was told is done; one that evicts keys forgets
   drops. */
static const struct {
    const char *name, *right, *risk;
} wanted[] = {
    {"appendonly", "yes", lost},
    {"appendfsync", "always", lost},
    {"no-appendfsync-on-rewrite", "no", lost},
    {"maxmemory-policy", "noeviction", forgotten},
};

void redis_review_init(struct redis_review *review, const char *prefix, int64_t result_ttl_s, int64_t retention_s,
                       const char *separator)
{
    *review = (struct redis_review){.prefix = prefix};
    snprintf(review->shared, sizeof review->shared,
             "RESULT_TTL_S=%" PRId64 " RETENTION_S=%" PRId64 " CAMPAIGN_FROM_FOREIGN_ID=%s", result_ttl_s, retention_s,
             separator ? separator : "");
}

/* Keeps the sentence, and logs it if it is news, or that it is over. */
static void tell(char known[ERROR_TEXT], const char *sentence)
{
    if (strcmp(known, sentence) == 0)
        return;
    if (sentence[0] != '\0')
        log_warn("%s", sentence);
    else
        log_info("no longer so: %s", known);
    snprintf(known, ERROR_TEXT, "%s", sentence);
}

/* --- The server's settings ---------------------------------------------------------------------------------------- */

/* Empty if it does not tell (hosted servers forbid CONFIG). False: the connection is gone. */
static bool read_setting(struct redis_primary *session, const char *name, char out[SETTING_SIZE])
{
    const char *get[] = {"CONFIG", "GET", name};
    struct redis_answer answer;
    struct error ignored;

    if (!redis_primary_try(session, "asking for a setting", 3, get, NULL, &answer, &ignored))
        return false;
    snprintf(out, SETTING_SIZE, "%s", redis_answer_item(&answer, 1).text);
    return true;
}

static bool review_server(struct redis_review *review, struct redis_primary *session)
{
    char durability[ERROR_TEXT] = "", eviction[ERROR_TEXT] = "", is[SETTING_SIZE];
    const char *name = redis_primary_name(session);

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        char *sentence = wanted[i].risk == lost ? durability : eviction;

        if (!read_setting(session, wanted[i].name, is))
            return false;
        if (is[0] == '\0')
            snprintf(durability, sizeof durability,
                     "unknown: %s does not tell its settings; it should have appendonly yes, appendfsync always and "
                     "maxmemory-policy noeviction",
                     name);
        else if (sentence[0] == '\0' && strcmp(is, wanted[i].right) != 0)
            snprintf(sentence, ERROR_TEXT, "%s has %s %s: %s; set %s %s", name, wanted[i].name, is, wanted[i].risk,
                     wanted[i].name, wanted[i].right);
    }
    tell(review->durability, durability);
    tell(review->eviction, eviction);
    return true;
}

/* --- The other workers' settings ---------------------------------------------------------------------------------- */

static bool compare(struct redis_review *review, struct redis_primary *session, char sentence[ERROR_TEXT],
                    struct error *error)
{
    static const char doing[] = "comparing the settings of the workers";
    char key[KEY_SIZE];
    const char *get[] = {"GET", key}, *set[] = {"SET", key, review->shared, "PX", SHARED_FOR_MS};
    struct redis_answer answer;
    bool others;

    snprintf(key, sizeof key, "%.256sdrops:settings", review->prefix);
    if (!redis_primary_ask(session, doing, 2, get, NULL, &answer, error))
        return false;
    others = answer.kind == REDIS_ANSWER_TEXT && strcmp(answer.text, review->shared) != 0;
    if (others)
        snprintf(sentence, ERROR_TEXT,
                 "this worker has %s, and another %.159s: how an event counts, and for how long it is remembered, depends "
                 "on which takes it; give all workers the same (if the other has ended, this ends within minutes)",
                 review->shared, answer.text);
    if (others && review->written)
        return true;
    review->written = redis_primary_ask(session, doing, 5, set, NULL, &answer, error);
    return review->written;
}

static void review_workers(struct redis_review *review, struct redis_primary *session)
{
    char sentence[ERROR_TEXT] = "";
    struct error error = {0};
    bool asked = compare(review, session, sentence, &error);

    if (asked || redis_primary_connected(session))
        tell(review->settings, asked ? sentence : error.text);
}

void redis_review_look(struct redis_review *review, struct redis_primary *session)
{
    if (redis_primary_connected(session) && review_server(review, session))
        review_workers(review, session);
}
