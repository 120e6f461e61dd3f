#include "agreement.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KEY_SIZE = 300 };

static const char doing[] = "comparing the settings of the workers";

void redis_agreement_init(struct redis_agreement *agreement, const char *prefix, int64_t result_ttl_s, int64_t retention_s,
                          const char *separator)
{
    *agreement = (struct redis_agreement){
        .prefix = prefix,
        .settings = {{.name = "RESULT_TTL_S"}, {.name = "RETENTION_S"}, {.name = "CAMPAIGN_FROM_FOREIGN_ID"}}};
    snprintf(agreement->settings[0].value, REDIS_AGREEMENT_VALUE, "%" PRId64, result_ttl_s);
    snprintf(agreement->settings[1].value, REDIS_AGREEMENT_VALUE, "%" PRId64, retention_s);
    snprintf(agreement->settings[2].value, REDIS_AGREEMENT_VALUE, "%s", separator ? separator : "");
}

static bool write_all(struct redis_agreement *agreement, struct redis_primary *session, const char *key,
                      struct error *error)
{
    const char *set[2 + 2 * REDIS_AGREEMENT_SETTINGS] = {"HSET", key};
    struct redis_answer ignored;

    for (size_t i = 0; i < REDIS_AGREEMENT_SETTINGS; i++) {
        set[2 + 2 * i] = agreement->settings[i].name;
        set[3 + 2 * i] = agreement->settings[i].value;
    }
    return redis_primary_ask(session, doing, 2 + 2 * REDIS_AGREEMENT_SETTINGS, set, NULL, &ignored, error);
}

static void append(char sentence[ERROR_TEXT], const char *text)
{
    size_t len = strlen(sentence);

    snprintf(sentence + len, ERROR_TEXT - len, "%s", text);
}

/* Appends to `out` how the setting in Redis differs. *missing: it has none. */
static bool compare(struct redis_agreement *agreement, size_t setting, struct redis_primary *session, const char *key,
                    char out[ERROR_TEXT], bool *missing, struct error *error)
{
    const char *name = agreement->settings[setting].name, *ours = agreement->settings[setting].value;
    const char *get[] = {"HGET", key, name};
    struct redis_answer answer;
    char difference[ERROR_TEXT];

    if (!redis_primary_ask(session, doing, 3, get, NULL, &answer, error))
        return false;
    *missing |= answer.kind != REDIS_ANSWER_TEXT;
    if (answer.kind != REDIS_ANSWER_TEXT || strcmp(answer.text, ours) == 0)
        return true;
    snprintf(difference, sizeof difference, "%s%s is \"%s\" here and \"%.64s\" at others", out[0] != '\0' ? ", " : "", name,
             ours, answer.text);
    append(out, difference);
    return true;
}

static void tell(struct redis_agreement *agreement, const char *sentence)
{
    if (strcmp(sentence, agreement->sentence) == 0)
        return;
    if (sentence[0] != '\0')
        log_warn("%s", sentence);
    else
        log_info("the settings that all workers must share are this worker's now");
    snprintf(agreement->sentence, sizeof agreement->sentence, "%s", sentence);
}

void redis_agreement_review(struct redis_agreement *agreement, struct redis_primary *session)
{
    char key[KEY_SIZE], sentence[ERROR_TEXT] = "";
    struct error error = {0};
    bool missing = false;

    if (!redis_primary_connected(session))
        return;
    snprintf(key, sizeof key, "%.256sdrops:settings", agreement->prefix);
    for (size_t i = 0; i < REDIS_AGREEMENT_SETTINGS; i++)
        if (!compare(agreement, i, session, key, sentence, &missing, &error))
            goto failed;
    if ((missing || !agreement->written) && !write_all(agreement, session, key, &error))
        goto failed;
    agreement->written = true;
    if (sentence[0] != '\0')
        append(sentence, ": what an event counts as, and for how long it is remembered, depends on which worker takes it; give "
                         "all workers the same");
    tell(agreement, sentence);
    return;
failed:
    if (redis_primary_connected(session))
        tell(agreement, error.text);
}
