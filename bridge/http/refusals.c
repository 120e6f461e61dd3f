#include "refusals.h"

#include "common/clock.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/mask.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DETAIL_SIZE = 224,
    TOKEN_DIGITS = 32,  /* so many hex digits and more may be part of a token */
    SECONDS_DIGITS = 18 /* a number of so many fits an int64_t */
};

static const int64_t first_ms = 100000000000; /* a time from here on is in milliseconds: in seconds it were the year 5138 */

struct kind {
    enum response answer;
    bool stray; /* most likely a scanner's */
    bool other; /* the kinds past the 64th; what is here of answer, campaign and detail is the last one's */
    char campaign[LIMIT_CAMPAIGN + 1];
    char detail[DETAIL_SIZE]; /* of the last one: who sent it, and what tells why */
    uint64_t count, untold;
    uint64_t turn; /* the greater, the later the last one; 0: unused */
    int64_t told_ms, last_ms, last_wall_ms;
};

struct refusals {
    pthread_mutex_t mutex; /* guards the rest */
    uint64_t turn;
    struct kind kinds[REFUSALS_KINDS + 1];
};

struct refusals *refusals_new(void)
{
    struct refusals *refusals = calloc(1, sizeof *refusals);

    if (refusals)
        pthread_mutex_init(&refusals->mutex, NULL);
    return refusals;
}

void refusals_free(struct refusals *refusals)
{
    if (refusals)
        pthread_mutex_destroy(&refusals->mutex);
    free(refusals);
}

/* ---- what is said of one request ---- */

static void describe_clock(const char *timestamp, int64_t now_s, char *out, size_t size)
{
    const size_t digits = strspn(timestamp, "0123456789");

    if (digits == 0 || digits > SECONDS_DIGITS || timestamp[digits] != '\0') {
        snprintf(out, size, ", clock unknown: X-Timestamp is not a number of seconds");
        return;
    }
    const int64_t then = strtoll(timestamp, NULL, 10);
    const bool in_ms = then >= first_ms;
    snprintf(out, size, ", clock skew %+" PRId64 " s (the sender's less ours)%s", (in_ms ? then / 1000 : then) - now_s,
             in_ms ? "; X-Timestamp looks like milliseconds, and must be seconds" : "");
}

/* Without what may be a token or a phone number, and without control bytes. */
static void describe_path(const char *path, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, ", path "), run;

    for (; *path != '\0' && len + 1 < size; path += run) {
        for (run = 0; hex_digit_value(path[run]) >= 0; run++)
            ;
        if (run >= TOKEN_DIGITS) {
            out[len++] = '*';
            continue;
        }
        run = run > 0 ? run : 1;
        for (size_t i = 0; i < run && len + 1 < size; i++)
            out[len++] = path[i] > ' ' && path[i] <= '~' ? path[i] : '?';
    }
    out[len] = '\0';
    mask_digits(out, len);
}

/* False if it was no event. */
static bool describe(const struct refusal *refusal, int64_t wall_ms, struct kind *out)
{
    const struct ingest_request *request = refusal->request;
    const enum route route = refusal->match->route;
    const bool routed = route == ROUTE_WEBHOOK || route == ROUTE_CALLBACK;

    if (!routed && (!request->method || strcmp(request->method, "POST") != 0))
        return false;
    memset(out, 0, sizeof *out);
    out->answer = refusal->answer;
    out->stray = !routed && !request->guide_signature && !request->v1_signature && !strcasestr(request->path, "dropcowboy") &&
                 !strcasestr(request->path, "webhook") && !strcasestr(request->path, "callback");
    snprintf(out->campaign, sizeof out->campaign, "%s", refusal->match->campaign);
    mask_digits(out->campaign, strlen(out->campaign));
    const size_t len = (size_t)snprintf(out->detail, sizeof out->detail, "from %.47s", refusal->address);
    char *rest = out->detail + len;
    const size_t size = sizeof out->detail - len;
    if (refusal->answer == RESPONSE_STALE_TIMESTAMP)
        describe_clock(request->v1_timestamp, wall_ms / 1000, rest, size);
    else if (refusal->answer == RESPONSE_NOT_FOUND)
        describe_path(request->path, rest, size);
    else if (refusal->answer == RESPONSE_METHOD_NOT_ALLOWED)
        snprintf(rest, size, ", method %.15s", request->method);
    else if (refusal->problem)
        snprintf(rest, size, ", %s", refusal->problem);
    return true;
}

/* ---- the kinds ---- */

/* The one that `like` belongs to, or a new one; the last one if there is no place. */
static struct kind *find_kind(struct refusals *refusals, const struct kind *like, int64_t now_ms)
{
    struct kind *oldest = &refusals->kinds[0];

    for (size_t i = 0; i < REFUSALS_KINDS; i++) {
        struct kind *kind = &refusals->kinds[i];

        if (kind->turn > 0 && kind->answer == like->answer && kind->stray == like->stray &&
            strcmp(kind->campaign, like->campaign) == 0)
            return kind;
        if (kind->turn < oldest->turn)
            oldest = kind;
    }
    if (oldest->turn > 0 && now_ms - oldest->last_ms < REFUSALS_QUIET_MS)
        return &refusals->kinds[REFUSALS_KINDS];
    memset(oldest, 0, sizeof *oldest);
    return oldest;
}

/* Under the mutex: the log is not waited for. */
static void tell_if_due(struct kind *kind, int64_t now_ms)
{
    const bool first = kind->untold == kind->count;
    char number[40];

    if (kind->untold == 0 || (!first && now_ms - kind->told_ms < REFUSALS_AGAIN_MS))
        return;
    snprintf(number, sizeof number, "%" PRIu64 " more", kind->untold);
    log_message(kind->stray ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "refused %s%s (%s)%s%s, %s%s: %s. %s", first ? "a request" : number,
                kind->other ? " of other kinds" : "", response_row(kind->answer)->code, *kind->campaign ? " for campaign " : "",
                kind->campaign, first ? "" : "the last ", kind->detail,
                kind->stray ? "most likely a scanner's" : "each is a result lost", response_row(kind->answer)->remedy);
    kind->untold = 0;
    kind->told_ms = now_ms;
}

void refusals_note(struct refusals *refusals, const struct refusal *refusal, int64_t now_ms, int64_t wall_ms)
{
    struct kind now;
    struct kind *kind;

    if (!describe(refusal, wall_ms, &now))
        return;
    pthread_mutex_lock(&refusals->mutex);
    kind = find_kind(refusals, &now, now_ms);
    now.other = kind == &refusals->kinds[REFUSALS_KINDS];
    now.count = kind->count + 1;
    now.untold = kind->untold + 1;
    now.turn = ++refusals->turn;
    now.told_ms = kind->told_ms;
    now.last_ms = now_ms;
    now.last_wall_ms = wall_ms;
    *kind = now;
    tell_if_due(kind, now_ms);
    pthread_mutex_unlock(&refusals->mutex);
}

void refusals_tell(struct refusals *refusals, int64_t now_ms)
{
    pthread_mutex_lock(&refusals->mutex);
    for (size_t i = 0; i <= REFUSALS_KINDS; i++)
        tell_if_due(&refusals->kinds[i], now_ms);
    pthread_mutex_unlock(&refusals->mutex);
}

static void report_kind(const struct kind *kind, struct buf *members)
{
    const char *remedy = response_row(kind->answer)->remedy;
    char last[CLOCK_ISO_SIZE];

    buf_printf(members, "{\"code\":\"%s\",\"campaign\":\"%s\",\"count\":%" PRIu64 ",\"last\":\"%s\",\"detail\":",
               kind->other ? "others" : response_row(kind->answer)->code, kind->campaign, kind->count,
               clock_iso8601_ms(kind->last_wall_ms, last));
    buf_append_json_string(members, kind->detail, strlen(kind->detail));
    buf_append_text(members, ",\"remedy\":");
    buf_append_json_string(members, remedy, strlen(remedy));
    buf_append_text(members, "}");
}

void refusals_report(struct refusals *refusals, struct buf *members)
{
    const struct kind *next;

    buf_append_text(members, ",\"refused\":[");
    pthread_mutex_lock(&refusals->mutex);
    for (uint64_t before = UINT64_MAX;; before = next->turn) {
        next = NULL;
        for (size_t i = 0; i <= REFUSALS_KINDS; i++) {
            const struct kind *kind = &refusals->kinds[i];

            if (kind->turn > 0 && kind->turn < before && (!next || kind->turn > next->turn))
                next = kind;
        }
        if (!next)
            break;
        buf_append_text(members, before == UINT64_MAX ? "" : ",");
        report_kind(next, members);
    }
    pthread_mutex_unlock(&refusals->mutex);
    buf_append_text(members, "]");
}
